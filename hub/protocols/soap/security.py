"""WS-Security of a channel: the security header that goes out, made anew for each attempt, and the check of answers.

The prepared bytes stay what they are; header and signature are put around the same body each time, because a time
stamp that is signed once would be stale at the next attempt. Signing is here, verifying in ``verifying``.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree

from hub.errors import ConfigurationError
from hub.net.secrets import resolve, secret_path
from hub.protocols.soap.security_settings import UsernameTokenSecurity, X509Security
from hub.protocols.soap.verifying import DS, ECDSA_SHA256, EXCLUSIVE, RSA_SHA256, SHA256, WSSE, WSU, Verifier, canonical
from hub.protocols.soap.wire import serialise

_TOKENS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_X509V3: Final = f"{_TOKENS}x509-token-profile-1.0#X509v3"
_BASE64: Final = f"{_TOKENS}soap-message-security-1.0#Base64Binary"
_PASSWORD: Final = f"{_TOKENS}username-token-profile-1.0#Password"
Now = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


def guard(settings: UsernameTokenSecurity | X509Security) -> UsernameTokenGuard | X509Guard:
    """The guard of a channel; secrets and certificates are read now. ``ConfigurationError`` names what is wrong."""
    if isinstance(settings, UsernameTokenSecurity):
        return UsernameTokenGuard(settings.user, resolve(settings.password).reveal(), digest=settings.digest)
    return X509Guard(
        load_signer(secret_path(settings.cert).read_bytes(), secret_path(settings.key).read_bytes()),
        valid_secs=settings.valid_secs,
        verifier=Verifier.from_file(settings.their_cert) if settings.their_cert else None,
    )


class UsernameTokenGuard:
    """UsernameToken Profile 1.1: user and password, or user, nonce, time and digest."""

    def __init__(self, user: str, password: str, *, digest: bool, now: Now = _utc_now) -> None:
        self._user, self._password, self._digest, self._now = user, password, digest, now

    def secure(self, envelope: bytes) -> bytes:
        """The envelope with the token."""
        root = _parse(envelope)
        token = etree.SubElement(_security(root), f"{{{WSSE}}}UsernameToken")
        etree.SubElement(token, f"{{{WSSE}}}Username").text = self._user
        password = etree.SubElement(token, f"{{{WSSE}}}Password")
        if not self._digest:
            password.set("Type", f"{_PASSWORD}Text")
            password.text = self._password
            return serialise(root)
        nonce, created = secrets.token_bytes(16), _moment(self._now())
        # SHA-1 is what the profile fixes here; it protects a password in transit, no document.
        made = hashlib.sha1(nonce + created.encode() + self._password.encode())  # noqa: S324
        password.set("Type", f"{_PASSWORD}Digest")
        password.text = base64.b64encode(made.digest()).decode()
        etree.SubElement(token, f"{{{WSSE}}}Nonce", EncodingType=_BASE64).text = base64.b64encode(nonce).decode()
        etree.SubElement(token, f"{{{WSU}}}Created").text = created
        return serialise(root)

    def check(self, envelope: bytes) -> bytes:
        """The envelope as it is: answers carry no token."""
        return envelope


@dataclass(frozen=True, slots=True, repr=False)
class SoapSigner:
    """A private key in memory with its certificate; RSA or P-256."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def method(self) -> str:
        """The signature method's name."""
        return RSA_SHA256 if isinstance(self.key, rsa.RSAPrivateKey) else ECDSA_SHA256

    def sign(self, data: bytes) -> bytes:
        """The signature as XML Signature wants it."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def load_signer(cert: bytes, key: bytes) -> SoapSigner:
    """Certificate and key from PEM. ``ConfigurationError`` if they cannot be used together."""
    try:
        certificate = x509.load_pem_x509_certificate(cert)
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        raise _wrong("The certificate or key for WS-Security cannot be read; the key must have no password.") from None
    strong = (isinstance(private, rsa.RSAPrivateKey) and private.key_size >= 2048) or (
        isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1)
    )
    if not strong or not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise _wrong("The key for WS-Security must be RSA of 2048 bits or more, or P-256.")
    if certificate.public_key() != private.public_key():
        raise _wrong("The certificate for WS-Security is not that of the key.")
    return SoapSigner(private, certificate)


def _wrong(message: str) -> ConfigurationError:
    return ConfigurationError(
        message, code="wsse.key", action="Give a PEM certificate and the key that belongs to it, without a password."
    )


class X509Guard:
    """Signs body, time stamp and all other header blocks; checks answers if a certificate for them is known."""

    def __init__(
        self, signer: SoapSigner, *, valid_secs: int = 300, verifier: Verifier | None = None, now: Now = _utc_now
    ) -> None:
        self._signer, self._valid_secs, self._verifier, self._now = signer, valid_secs, verifier, now

    def secure(self, envelope: bytes) -> bytes:
        """The envelope with time stamp and signature."""
        root = _parse(envelope)
        security = _security(root)
        token = etree.SubElement(security, f"{{{WSSE}}}BinarySecurityToken", ValueType=_X509V3, EncodingType=_BASE64)
        token.set(f"{{{WSU}}}Id", "token")
        token.text = base64.b64encode(self._signer.certificate.public_bytes(Encoding.DER)).decode()
        now = self._now()
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        etree.SubElement(stamp, f"{{{WSU}}}Created").text = _moment(now)
        etree.SubElement(stamp, f"{{{WSU}}}Expires").text = _moment(now + timedelta(seconds=self._valid_secs))
        header = security.getparent()
        assert header is not None
        body = root[-1]
        signed = {"body": body, "stamp": stamp}
        signed |= {f"block-{n}": block for n, block in enumerate(header) if block is not security}
        for name, part in signed.items():
            part.set(f"{{{WSU}}}Id", name)
        signature = etree.SubElement(security, f"{{{DS}}}Signature", nsmap={"ds": DS})
        info = self._signed_info(signature, signed)
        value = etree.SubElement(signature, f"{{{DS}}}SignatureValue")
        value.text = base64.b64encode(self._signer.sign(canonical(info))).decode()
        holder = etree.SubElement(etree.SubElement(signature, f"{{{DS}}}KeyInfo"), f"{{{WSSE}}}SecurityTokenReference")
        etree.SubElement(holder, f"{{{WSSE}}}Reference", URI="#token", ValueType=_X509V3)
        return serialise(root)

    def _signed_info(self, signature: etree._Element, signed: dict[str, etree._Element]) -> etree._Element:
        info = etree.SubElement(signature, f"{{{DS}}}SignedInfo")
        etree.SubElement(info, f"{{{DS}}}CanonicalizationMethod", Algorithm=EXCLUSIVE)
        etree.SubElement(info, f"{{{DS}}}SignatureMethod", Algorithm=self._signer.method)
        for name, part in signed.items():
            reference = etree.SubElement(info, f"{{{DS}}}Reference", URI=f"#{name}")
            transforms = etree.SubElement(reference, f"{{{DS}}}Transforms")
            etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm=EXCLUSIVE)
            etree.SubElement(reference, f"{{{DS}}}DigestMethod", Algorithm=SHA256)
            digest = hashlib.sha256(canonical(part)).digest()
            etree.SubElement(reference, f"{{{DS}}}DigestValue").text = base64.b64encode(digest).decode()
        return info

    def check(self, envelope: bytes) -> bytes:
        """The verified envelope, or the envelope as it is if answers are not signed over this channel."""
        return envelope if self._verifier is None else self._verifier.verify(envelope, at=self._now())


def _parse(envelope: bytes) -> etree._Element:
    """Our own bytes."""
    return etree.fromstring(envelope, etree.XMLParser(resolve_entities=False, no_network=True))


def _security(root: etree._Element) -> etree._Element:
    """An empty Security block in the Header, which is made if it is not there; it must be understood."""
    space = etree.QName(root).namespace
    header = root.find(f"{{{space}}}Header")
    if header is None:
        header = etree.Element(f"{{{space}}}Header")
        root.insert(0, header)
    security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
    security.set(f"{{{space}}}mustUnderstand", "1")
    return security


def _moment(value: datetime) -> str:
    utc = value.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
