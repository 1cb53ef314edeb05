"""The XML seal: an enveloped XAdES-B signature (ETSI EN 319 132-1), C14N 1.1, ECDSA with SHA-256.

Made and verified with signxml. Exclusive C14N is not offered: with it signxml makes XAdES signatures that nobody
verifies. Verification returns the canonical bytes that were signed and nothing else; the received tree is never
looked at again.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, InvalidSignature, SignXMLException
from signxml.xades import XAdESDataObjectFormat, XAdESSignatureConfiguration, XAdESSigner, XAdESVerifier

from hub.errors import ConfigurationError, SealRefused
from hub.schemas import strict_xml
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals import xml_rules
from hub.seals.keys import SigningKey
from hub.seals.public import PublicKey, certificate_spki, load_public

_FORMAT: Final = XAdESDataObjectFormat(Description="Appeal envelope", MimeType="application/xml")

# signxml logs what it canonicalises at DEBUG: whole messages with personal data. No level may let that through.
logging.getLogger("signxml.processor").addFilter(lambda record: record.levelno > logging.DEBUG)


class _RawKey:
    """A ``SigningKey`` as signxml asks for it: DER out, whatever holds the private half."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self.key_size = 256

    def sign(self, data: bytes, signature_algorithm: object) -> bytes:  # noqa: ARG002 - signxml passes it by name
        """DER signature with SHA-256, the only one that ``seal_xml`` asks for."""
        raw = self._key.sign(data)
        return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def seal_xml(document: bytes, key: SigningKey) -> bytes:
    """The document with the signature as last child of its root, UTF-8.

    Raises ``InvalidInput`` (``xml.*``) for what ``strict_xml`` refuses, ``SealRefused`` (``seal.structure``,
    ``seal.ids``) for a document that is sealed already or has ``xml:`` attributes on its root.
    """
    if key.algorithm is not SealAlgorithm.ES256:
        raise ConfigurationError("XML seals are made with ES256 keys only.", code="seal.key")
    root = strict_xml.parse(document)
    xml_rules.require_sealable(root)
    signer = XAdESSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_1,
        data_object_format=_FORMAT,
    )
    sealed = signer.sign(root, key=_RawKey(key), cert=[key.certificate], always_add_key_value=False)
    return etree.tostring(sealed, encoding="UTF-8", xml_declaration=True)


def verify_xml(document: bytes, key: VerificationKey, *, at: datetime | None = None) -> bytes:
    """The canonical bytes that were signed, without the signature, if ``key`` may be used at ``at`` (absent = now).

    Parse these bytes again and read nothing else. Whose key it is, the caller knows from the registry and holds
    against the sender in the envelope. Raises ``InvalidInput`` (``xml.*``) for what ``strict_xml`` refuses, otherwise
    ``SealRefused``: ``seal.missing``, ``seal.structure``, ``seal.ids``, ``seal.algorithm``, ``seal.reference``,
    ``seal.value``, ``seal.key_info``, ``seal.key``, ``seal.key_expired``, ``seal.digest``, ``seal.signature``.
    """
    root = strict_xml.parse(document)
    shape = xml_rules.check(root, key.algorithm)
    public = load_public(key, at=at or datetime.now(UTC))
    certificate = _pinned(public, shape.certificates)
    config = XAdESSignatureConfiguration(
        location="./",
        expect_references=shape.references,
        signature_methods=frozenset({SignatureMethod(xml_rules.METHODS[key.algorithm])}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        ignore_ambiguous_key_info=True,  # no key from the message is used at all
        verification_time=certificate.not_valid_before_utc,  # load_public decided about time
    )
    try:
        results = XAdESVerifier().verify(root, x509_cert=certificate, expect_config=config)
    except InvalidSignature as error:
        raise _refused(error) from None
    except (SignXMLException, etree.LxmlError, ValueError) as error:
        raise SealRefused(f"The XML seal cannot be verified ({type(error).__name__}).", code="seal.structure") from None
    result = results[shape.root_reference]
    if load_pem_public_key(result.signature_key) != public.key:
        raise SealRefused("The signature is by another key.", code="seal.signature")
    return bytes(result.signed_data)


def _pinned(public: PublicKey, certificates: tuple[x509.Certificate, ...]) -> x509.Certificate:
    """The certificate that signxml verifies with: the registry's, or the one around the registry's bare key."""
    if public.certificate is not None:
        return public.certificate
    for certificate in certificates:
        if certificate_spki(certificate) == public.spki:
            return certificate
    raise SealRefused(
        "The registry has a bare key, and no certificate in KeyInfo is of that key.", code="seal.key_info"
    )


def _refused(error: InvalidSignature) -> SealRefused:
    if isinstance(error, InvalidDigest):
        return SealRefused("A part of the document is not what was signed.", code="seal.digest")
    return SealRefused("The signature is not by the key that the registry has.", code="seal.signature")
