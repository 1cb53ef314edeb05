"""S/MIME (RFC 8551): our detached signature over a mail, encryption to an authority, and the check of theirs.

CMS is put together and taken apart with asn1crypto; ``cryptography`` signs, encrypts and verifies. Our ECDSA is the
deterministic one (RFC 6979) and there is no signing time, so the same mail has the same signature at each attempt.

Verification believes the registry: the signature must hold under one of the party's keys, with the algorithm that its
entry names. Certificates inside the message are never trusted, and only the bytes that were verified are given back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

from hub.adapters.email import ber
from hub.errors import ConfigurationError, SealRefused, about
from hub.net.secrets import secret_path
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals.public import PublicKey, load_public, verify_signature

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
MAX_CMS_BYTES: Final = 262_144
MAX_CERTIFICATE_BYTES: Final = 16_384
"""Extensions lie in it as bytes, and their shape is looked at by the library only."""
UNCHECKED: Final = "smime.grammar"
"""Code of what cannot be checked here: it counts as no signature. The others are of signatures that do not hold."""
_WRONG: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""asn1crypto parses lazily and raises whatever it stumbles over, far from where the bytes were wrong."""
_SHA256: Final = hashes.SHA256()
_HASHES: Final = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_MATCHING: Final = {
    (SealAlgorithm.ES256, "sha256_ecdsa", "sha256"),
    (SealAlgorithm.ES384, "sha384_ecdsa", "sha384"),
    (SealAlgorithm.RS256, "rsassa_pkcs1v15", "sha256"),
    (SealAlgorithm.RS256, "sha256_rsa", "sha256"),
    (SealAlgorithm.PS256, "rsassa_pss", "sha256"),
}


@dataclass(frozen=True, slots=True)
class MailSigner:
    """Our key with its certificate."""

    key: PrivateKey
    certificate: x509.Certificate

    def __repr__(self) -> str:
        return "Signer(***)"


def load_signer(cert: Path, key_reference: str) -> MailSigner:
    """Read certificate and key. ``ConfigurationError`` (``smime.key``) if they are not a pair that can sign."""
    with about("key"):
        key = _private_key(key_reference)
    with about("cert"):
        certificate = _certificate(cert)
        if certificate.public_key() != key.public_key():
            raise _wrong_key("The S/MIME certificate is of another key.", "Name the certificate that was made for key.")
    return MailSigner(key, certificate)


def _private_key(reference: str) -> PrivateKey:
    try:
        key = load_pem_private_key(secret_path(reference).read_bytes(), password=None)
    except TypeError:
        raise _wrong_key(
            f"The S/MIME key {reference} has a password.", "Give a key without a password (openssl pkey)."
        ) from None
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _wrong_key(f"The S/MIME key {reference} cannot be read: {type(error).__name__}.", _GIVE_PEM) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _wrong_key("The S/MIME key must be an EC or RSA key.", _GIVE_PEM)
    return key


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _wrong_key(f"The S/MIME certificate {path} cannot be read: {type(error).__name__}.", _GIVE_PEM) from None


_GIVE_PEM: Final = "Give a PEM file that the hub's user may read; the key is EC (P-256) or RSA."


def _wrong_key(message: str, action: str) -> ConfigurationError:
    return ConfigurationError(message, code="smime.key", action=action)


def load_recipient(path: Path) -> x509.Certificate:
    """The certificate that mails are encrypted to. ``ConfigurationError`` (``smime.recipient``): it must hold RSA."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The certificate {path} cannot be read: {type(error).__name__}.",
            code="smime.recipient",
            action="Name a PEM file with their certificate that the hub's user may read.",
        ) from None
    if not isinstance(certificate.public_key(), rsa.RSAPublicKey):
        raise ConfigurationError(
            "Mail can be encrypted to RSA certificates only.",
            code="smime.recipient",
            action="Ask the authority for an RSA certificate.",
        )
    return certificate


def sign(content: Iterable[bytes], signer: MailSigner) -> bytes:
    """A detached CMS signature (DER) over the content, which is read once."""
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    encoded = signer.certificate.public_bytes(Encoding.DER)
    certificate = asn1_x509.Certificate.load(encoded)
    signed = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [digest.digest()]}),
            cms.CMSAttribute(
                {
                    "type": "signing_certificate_v2",  # RFC 5035: which certificate was meant is signed too
                    "values": [
                        tsp.SigningCertificateV2(
                            {"certs": [tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(encoded).digest()})]}
                        )
                    ],
                }
            ),
        ]
    )
    to_sign = signed.dump()
    info = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                "issuer_and_serial_number",
                cms.IssuerAndSerialNumber({"issuer": certificate.issuer, "serial_number": certificate.serial_number}),
            ),
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
            "signed_attrs": signed,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": _algorithm(signer.key)}),
            "signature": _sign(signer.key, to_sign),
        }
    )
    data = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": cms.ContentInfo({"content_type": "data"}),
            "certificates": [certificate],
            "signer_infos": [info],
        }
    )
    der: bytes = cms.ContentInfo({"content_type": "signed_data", "content": data}).dump()
    return der


def _algorithm(key: PrivateKey) -> str:
    return "sha256_ecdsa" if isinstance(key, ec.EllipticCurvePrivateKey) else "sha256_rsa"


def _sign(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(_SHA256, deterministic_signing=True))
    return key.sign(data, padding.PKCS1v15(), _SHA256)


def encrypt(content: bytes, recipient: x509.Certificate) -> bytes:
    """CMS EnvelopedData (DER): AES-256-CBC, the key to the recipient's RSA key."""
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(content).add_recipient(recipient)
    builder = builder.set_content_encryption_algorithm(algorithms.AES256)
    return builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A CMS signature and what it covers, taken apart; nothing is verified yet."""

    content: bytes | None
    digest_name: str
    signed_attributes: bytes
    message_digest: bytes
    algorithm: str
    signature: bytes
    certificates: tuple[bytes, ...]
    """Certificates of the signer that it names."""


def verify(
    der: bytes, content: bytes | None, keys: Sequence[VerificationKey], at: datetime
) -> tuple[bytes, str | None]:
    """The verified content, and the id of the registry's key that made the signature; None: an unknown signer's.

    ``content``: what a detached signature is over; absent = it is inside. A signature of an unknown signer must still
    hold under the certificate that came with it, but proves nothing about who that is. Raises ``SealRefused``:
    ``smime.tampered`` and ``smime.signature`` for one that does not hold, ``UNCHECKED`` for one that cannot be checked.
    """
    if content is not None and len(der) > MAX_CMS_BYTES:
        raise _grammar(f"is longer than {MAX_CMS_BYTES} bytes")
    opened = _open(der)
    covered = content if content is not None else opened.content
    if covered is None or (content is not None and opened.content is not None):
        raise _grammar("covers nothing, or two things")
    if _HASHES[opened.digest_name](covered).digest() != opened.message_digest:
        raise SealRefused("The mail was changed after it was signed.", code="smime.tampered")
    for entry in keys:
        if _made_by(entry, opened, at):
            return covered, entry.kid
    held = [_holds(certificate, opened) for certificate in opened.certificates]
    if not any(held) and False in held:
        raise SealRefused("The S/MIME signature does not hold.", code="smime.signature")
    if not any(held):
        raise _grammar("has no certificate of its signer, or one of a kind that is not known")
    return covered, None


def kind_of(der: bytes) -> str:
    """Kind of a CMS: ``signed_data``, ``enveloped_data``; empty if it is none."""
    if not ber.is_plain(der):
        return ""
    try:
        return str(cms.ContentInfo.load(der)["content_type"].native)
    except _WRONG:
        return ""


def content_of(der: bytes) -> bytes:
    """The content inside a CMS signature, of which nothing is verified; empty if there is none."""
    if not ber.is_plain(der):
        return b""
    try:
        data = cms.ContentInfo.load(der)["content"]
        inner = data["encap_content_info"]["content"] if isinstance(data, cms.SignedData) else None
        return bytes(inner.native) if isinstance(inner, core.OctetString) else b""
    except _WRONG:
        return b""


def _grammar(rule: str) -> SealRefused:
    return SealRefused(f"The S/MIME signature {rule}.", code=UNCHECKED)


def _open(der: bytes) -> Opened:
    if not ber.is_plain(der):
        raise _grammar("is of a shape that no signature needs")
    try:
        return _take_apart(der)
    except _WRONG:
        raise _grammar("cannot be read") from None


def _take_apart(der: bytes) -> Opened:
    outer = cms.ContentInfo.load(der, strict=True)
    if outer["content_type"].native != "signed_data":
        raise _grammar("is not SignedData")
    data = outer["content"]
    infos = data["signer_infos"]
    if len(infos) != 1:
        raise _grammar("must be by exactly one signer")
    info = infos[0]
    digest_name = info["digest_algorithm"]["algorithm"].native
    if digest_name not in _HASHES:
        raise _grammar("uses a hash that is not accepted (SHA-256, SHA-384, SHA-512)")
    attributes = info["signed_attrs"]
    if not isinstance(attributes, cms.CMSAttributes) or not len(attributes):
        raise _grammar("has no signed attributes")
    named: dict[str, list[object]] = {}
    for attribute in attributes:
        named.setdefault(attribute["type"].native, []).extend(attribute["values"].native)
    inner_type = data["encap_content_info"]["content_type"].native
    digests = named.get("message_digest", [])
    if named.get("content_type") != [inner_type] or len(digests) != 1 or not isinstance(digests[0], bytes):
        raise _grammar("must name its content and digest once")
    inner = data["encap_content_info"]["content"]
    return Opened(
        content=bytes(inner.native) if isinstance(inner, core.OctetString) else None,
        digest_name=digest_name,
        signed_attributes=b"\x31" + attributes.dump()[1:],  # signed as SET OF, sent as [0] (RFC 5652 section 5.4)
        message_digest=digests[0],
        algorithm=info["signature_algorithm"]["algorithm"].native,
        signature=info["signature"].native,
        certificates=tuple(
            each.chosen.dump()
            for each in (data["certificates"] or ())
            if each.name == "certificate"
            and len(each.chosen.contents) <= MAX_CERTIFICATE_BYTES
            and _is_of(each.chosen, info["sid"])
        )[:10],
    )


def _made_by(entry: VerificationKey, opened: Opened, at: datetime) -> bool:
    """True if this registry key, valid at ``at``, made the signature with its own algorithm."""
    if (entry.algorithm, opened.algorithm, opened.digest_name) not in _MATCHING:
        return False
    try:
        public = load_public(entry, at=at)
        verify_signature(public, opened.signed_attributes, _raw(public, opened.signature))
    except (SealRefused, ValueError, OverflowError):  # a number below zero, or longer than the curve's order
        return False
    return True


def _raw(public: PublicKey, signature: bytes) -> bytes:
    """CMS has ECDSA signatures in DER (RFC 5753); the registry's keys verify r‖s."""
    if not isinstance(public.key, ec.EllipticCurvePublicKey):
        return signature
    size = (public.key.key_size + 7) // 8
    r, s = decode_dss_signature(signature)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _is_of(certificate: asn1_x509.Certificate, signer: cms.SignerIdentifier) -> bool:
    """True if it is the certificate that a signature names as its own."""
    if signer.name == "issuer_and_serial_number":
        named = signer.chosen
        same_issuer = certificate.issuer.dump() == named["issuer"].dump()
        return same_issuer and bool(certificate.serial_number == named["serial_number"].native)
    return bool(certificate.key_identifier == signer.chosen.native)


def _holds(certificate: bytes, opened: Opened) -> bool | None:
    """True if an embedded certificate's key made the signature: integrity, not identity; None: unknown means."""
    digest = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[opened.digest_name]
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    names = {"ec": (f"{opened.digest_name}_ecdsa",), "rsa": (f"{opened.digest_name}_rsa", *_ANY_RSA)}
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and opened.algorithm in names["ec"]:
            key.verify(opened.signature, opened.signed_attributes, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey) and key.key_size <= 8_192 and opened.algorithm in names["rsa"]:
            key.verify(opened.signature, opened.signed_attributes, _padding(opened, digest), digest)
        else:
            return None
    except (InvalidSignature, ValueError):
        return False
    except UnsupportedAlgorithm:
        return None
    return True


_ANY_RSA: Final = ("rsassa_pkcs1v15", "rsassa_pss")


def _padding(opened: Opened, digest: hashes.HashAlgorithm) -> padding.PSS | padding.PKCS1v15:
    if opened.algorithm == "rsassa_pss":
        return padding.PSS(mgf=padding.MGF1(digest), salt_length=padding.PSS.AUTO)
    return padding.PKCS1v15()
