"""Checks that a key of the registry is a public key, and one that its algorithm can use."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hub.schemas.keys import SealAlgorithm, VerificationKey

MIN_RSA_BITS = 2048
"""RFC 7518 sections 3.3 and 3.5."""

_CURVES: dict[SealAlgorithm, type[ec.EllipticCurve]] = {
    SealAlgorithm.ES256: ec.SECP256R1,  # RFC 7518 section 3.4
    SealAlgorithm.ES384: ec.SECP384R1,
}


def problem(key: VerificationKey) -> str | None:
    """Fault of the key, in words; None if there is none. Never quotes the key."""
    if "PRIVATE KEY" in key.pem:
        return "this is a private key: it must never stand in a registry, and counts as lost from now on"
    try:
        public = _load(key.pem.encode())
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return "is neither a certificate nor a public key (SubjectPublicKeyInfo) in PEM"
    curve = _CURVES.get(key.algorithm)
    if curve is not None:
        if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, curve):
            return None
        return f"{key.algorithm} needs a key on the curve {curve.name}"
    if not isinstance(public, rsa.RSAPublicKey):
        return f"{key.algorithm} needs an RSA key"
    if public.key_size < MIN_RSA_BITS:
        return f"an RSA key needs at least {MIN_RSA_BITS} bits"
    return None


def _load(pem: bytes) -> object:
    if b"-----BEGIN CERTIFICATE-----" in pem:
        return x509.load_pem_x509_certificate(pem).public_key()
    return load_pem_public_key(pem)
