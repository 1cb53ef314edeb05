"""Signed assertions of the hub for an issuer of tokens (RFC 7523): who asks, proved by a key instead of a password.

With a mailbox in ``subject`` the assertion is the grant itself (section 2.1, as Google's service accounts ask in the
name of a mailbox), without one it proves the client (section 2.2, as Microsoft's and others do).
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from hub.errors import ConfigurationError
from hub.net.secrets import MAX_SECRET_BYTES, secret_path, standing_in

LASTS_SECS: Final = 300
"""An assertion is used at once; issuers allow an hour at most."""
_LEAST_RSA_BITS: Final = 2_048


def signed(key: str, *, issuer: str, audience: str, more: dict[str, str], key_id: str | None, cert: str | None) -> str:
    """An assertion in compact form. ``key``: where its key is, PEM, RSA (RS256) or P-256 (ES256); ``more``: further
    claims; ``key_id``: told as ``kid``; ``cert``: file of the certificate that the issuer knows the key by, told as
    ``x5t#S256``. ``ConfigurationError`` (``oauth.key``, ``oauth.certificate``).
    """
    signing, algorithm = _key(key)
    head = {"alg": algorithm, "typ": "JWT"}
    head |= {"kid": key_id} if key_id is not None else {}
    head |= {"x5t#S256": _thumbprint(Path(cert))} if cert is not None else {}
    now = int(time.time())
    claims = {"iss": issuer, "aud": audience, "iat": now, "exp": now + LASTS_SECS, "jti": str(uuid.uuid4()), **more}
    return jws.serialize_compact(head, json.dumps(claims).encode(), signing, algorithms=[algorithm])


def _key(reference: str) -> tuple[RSAKey | ECKey, str]:
    path = secret_path(reference)
    if standing_in():
        return ECKey.generate_key("P-256"), "ES256"
    try:
        with path.open("rb") as file:
            found = load_pem_private_key(file.read(MAX_SECRET_BYTES), password=None)
    except (OSError, ValueError, TypeError):
        raise ConfigurationError(
            f"The key {reference} cannot be read.",
            code="oauth.key",
            action="Give the private key alone, as PEM without a password (of a service account: its private_key).",
        ) from None
    if isinstance(found, rsa.RSAPrivateKey) and found.key_size >= _LEAST_RSA_BITS:
        return RSAKey.import_key(found), "RS256"
    if isinstance(found, ec.EllipticCurvePrivateKey) and isinstance(found.curve, ec.SECP256R1):
        return ECKey.import_key(found), "ES256"
    raise ConfigurationError(
        f"The key {reference} is of a kind that no issuer here takes.",
        code="oauth.key",
        action="Use RSA of 2,048 bits or more, or ECDSA on P-256.",
    )


def _thumbprint(path: Path) -> str:
    try:
        cert = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        raise ConfigurationError(f"The certificate {path} cannot be read.", code="oauth.certificate") from None
    digest = hashlib.sha256(cert.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
