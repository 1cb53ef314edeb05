"""Public keys of the registry, ready to verify: loaded once, checked against the algorithm their entry names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hub.errors import SealRefused
from hub.schemas.keys import SealAlgorithm, VerificationKey

_Key: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_CURVES: Final = {SealAlgorithm.ES256: "secp256r1", SealAlgorithm.ES384: "secp384r1"}
_HASHES: Final[dict[SealAlgorithm, hashes.HashAlgorithm]] = {
    SealAlgorithm.ES256: hashes.SHA256(),
    SealAlgorithm.ES384: hashes.SHA384(),
    SealAlgorithm.PS256: hashes.SHA256(),
    SealAlgorithm.RS256: hashes.SHA256(),
}
_RSA_BITS: Final = (2_048, 8_192)  # RFC 7518 section 3.3; the upper bound keeps a verification cheap


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key with its one algorithm, and the certificate it came in, if it did. ``spki``: DER."""

    algorithm: SealAlgorithm
    key: _Key
    spki: bytes
    certificate: x509.Certificate | None


def load_public(entry: VerificationKey, *, at: datetime) -> PublicKey:
    """The key of a registry entry that may be used at ``at``.

    Raises ``SealRefused``: ``seal.key_expired`` if the entry or its certificate is not valid then, ``seal.key`` if the
    entry's PEM is no key for its algorithm.
    """
    public = _load(entry.algorithm, entry.pem)
    certificate = public.certificate
    if not entry.valid_at(at) or (
        certificate is not None and not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    ):
        raise SealRefused("The key was not valid at that time.", code="seal.key_expired")
    return public


def verify_signature(public: PublicKey, data: bytes, signature: bytes) -> None:
    """Raise ``SealRefused`` (``seal.signature``) unless ``signature`` is by this key over ``data``.

    ECDSA signatures are r‖s, each as long as the curve's order (RFC 7518 section 3.4). PSS salt is as long as the hash.
    """
    digest = _HASHES[public.algorithm]
    try:
        if isinstance(public.key, ec.EllipticCurvePublicKey):
            public.key.verify(ecdsa_der(signature, public.key), data, ec.ECDSA(digest))
        elif public.algorithm is SealAlgorithm.PS256:
            pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
            public.key.verify(signature, data, pss, digest)
        else:
            public.key.verify(signature, data, padding.PKCS1v15(), digest)
    except InvalidSignature:
        raise SealRefused("The signature is not by the key that the registry has.", code="seal.signature") from None


def ecdsa_der(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """The DER that ``cryptography`` asks for of an ECDSA value r‖s, each exactly as long as the curve's order (RFC 7518
    section 3.4, XML Signature 1.1 section 6.4.3). ``InvalidSignature`` for another length and for a zero, which no
    signature holds.
    """
    size = (key.key_size + 7) // 8
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    if len(signature) != 2 * size or not r or not s:
        raise InvalidSignature
    return encode_dss_signature(r, s)


def certificate_spki(certificate: x509.Certificate) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, DER."""
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        raise SealRefused("A certificate's key cannot be read.", code="seal.key_info") from None


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate (DER), hexadecimal."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


@lru_cache(maxsize=8_192)  # the registry has some 3,800 parties
def _load(algorithm: SealAlgorithm, pem: str) -> PublicKey:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode()) if "BEGIN CERTIFICATE" in pem else None
        key = load_pem_public_key(pem.encode()) if certificate is None else certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SealRefused("The registry's key cannot be read.", code="seal.key") from None
    if certificate is not None and not _may_sign(certificate):
        raise SealRefused("The registry's certificate is not for signatures (KeyUsage).", code="seal.key")
    if isinstance(key, ec.EllipticCurvePublicKey):
        fits = key.curve.name == _CURVES.get(algorithm)
    else:
        fits = (
            isinstance(key, rsa.RSAPublicKey)
            and algorithm not in _CURVES
            and _RSA_BITS[0] <= key.key_size <= _RSA_BITS[1]
        )
    if not fits or not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise SealRefused("The registry's key is not one for the algorithm it names.", code="seal.key")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(algorithm=algorithm, key=key, spki=spki, certificate=certificate)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return usage.digital_signature or usage.content_commitment
