"""Public keys in the forms that other programs want: certificate or bare key, SubjectPublicKeyInfo, JWK."""

from __future__ import annotations

import json

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from joserfc.jwk import ECKey, RSAKey

from hub.errors import SealRefused
from hub.schemas.keys import VerificationKey


def stem(party: str, key: VerificationKey) -> str:
    """Where the files of a key stand, without their endings."""
    return f"keys/{party}-{key.kid[:16]}".replace(":", "_")


def is_certificate(key: VerificationKey) -> bool:
    """True if the registry has a certificate, and not a bare key."""
    return "BEGIN CERTIFICATE" in key.pem


def forms(party: str, key: VerificationKey) -> dict[str, bytes]:
    """Files of one key by path. Raises ``SealRefused`` if the registry's entry is no key."""
    pem = key.pem.encode("ascii") + b"\n"
    try:
        public = x509.load_pem_x509_certificate(pem).public_key() if is_certificate(key) else load_pem_public_key(pem)
    except ValueError:
        raise SealRefused("The registry's entry is no key.", code="seal.key") from None
    if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise SealRefused("The registry's entry is a key of another kind.", code="seal.key")
    spki = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kind = ECKey if isinstance(public, ec.EllipticCurvePublicKey) else RSAKey
    jwk = json.dumps(kind.import_key(spki).as_dict(private=False), sort_keys=True).encode()
    entry = json.dumps({"party": party, **key.model_dump(mode="json", exclude_none=True)}, indent=1).encode()
    base = stem(party, key)
    files = {f"{base}.pub": spki, f"{base}.jwk": jwk + b"\n", f"{base}.json": entry + b"\n"}
    return files | ({f"{base}.crt": pem} if is_certificate(key) else {})
