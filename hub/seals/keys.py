"""The hub's own signing key: made once, kept in a file only its owner can read, loaded once.

``SigningKey`` is all that sealing needs, so an HSM (PKCS#11) can stand behind it: the private half never has to be
readable. A key's id is the SHA-256 of its SubjectPublicKeyInfo in hexadecimal; anyone can recompute it with openssl.
"""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from hub.errors import ConfigurationError
from hub.schemas.base import format_datetime
from hub.schemas.keys import SealAlgorithm, VerificationKey

VALID_FOR: Final = timedelta(days=730)
_MAX_NAME: Final = 64  # X.520: ub-common-name, ub-organization-name
_MAX_KEY_FILE: Final = 16_384
_ES256: Final = ec.ECDSA(hashes.SHA256())


class SigningKey(Protocol):
    """A key that can sign; safe to use from several threads at once."""

    @property
    def kid(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, hexadecimal."""
        ...

    @property
    def algorithm(self) -> SealAlgorithm:
        """The one algorithm that this key signs with."""
        ...

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate that goes into XML seals."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Signature over ``data``; for ES256 the 64 bytes r‖s (RFC 7518 section 3.4)."""
        ...


class FileKey:
    """A P-256 key in memory, from a file. Its text forms show the key id only."""

    __slots__ = ("_certificate", "_kid", "_private")

    def __init__(self, private: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._private = private
        self._certificate = certificate
        self._kid = key_id(certificate)

    def __repr__(self) -> str:
        return f"FileKey(kid={self._kid!r})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a signing key is not copied or pickled")

    @property
    def kid(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, hexadecimal."""
        return self._kid

    @property
    def algorithm(self) -> SealAlgorithm:
        """ES256."""
        return SealAlgorithm.ES256

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate that goes into XML seals."""
        return self._certificate

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes r‖s of ECDSA over P-256 with SHA-256."""
        r, s = decode_dss_signature(self._private.sign(data, _ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def key_id(certificate: x509.Certificate) -> str:
    """The id of a certificate's key: SHA-256 of its SubjectPublicKeyInfo (DER), 64 hexadecimal digits."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def certificate_path(key_file: Path) -> Path:
    """Where the certificate of a key file stands: the same name with ``.crt``."""
    return key_file.with_suffix(".crt")


def entry_path(key_file: Path) -> Path:
    """Where the registry entry of a key file stands: the same name with ``.public.yaml``."""
    return key_file.with_suffix(".public.yaml")


def make_key_file(
    key_file: Path,
    *,
    common_name: str,
    organization: str,
    now: datetime | None = None,
    valid_for: timedelta = VALID_FOR,
) -> FileKey:
    """Make a P-256 key with a self-signed certificate and write three files; nothing that exists is overwritten.

    ``key_file``: private key (PKCS#8 PEM, mode 0600); beside it ``.crt`` and ``.public.yaml`` (the registry entry).
    ``now``: aware, absent = the present moment. Names have 1 to 64 characters. Raises ``ConfigurationError``
    (``seal.key_name``, ``seal.key_file``).
    """
    for text in (common_name, organization):
        if not 1 <= len(text) <= _MAX_NAME or not text.isprintable():
            raise ConfigurationError("Names in a certificate have 1 to 64 printable characters.", code="seal.key_name")
    private = ec.generate_private_key(ec.SECP256R1())
    key = FileKey(private, _certificate(private, common_name, organization, now or datetime.now(UTC), valid_for))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(key_file, pem, 0o600)
    _write_new(certificate_path(key_file), key.certificate.public_bytes(Encoding.PEM), 0o644)
    _write_new(entry_path(key_file), registry_entry(key).encode(), 0o644)
    return key


def load_signing_key(key_file: Path) -> FileKey:
    """The key in a file that ``make_key_file`` wrote, with its certificate.

    Raises ``ConfigurationError``: ``seal.key_file`` (missing, not a P-256 key, certificate of another key),
    ``seal.key_mode`` (someone else than the owner may read it).
    """
    pem = _read_private(key_file)
    try:
        private = load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(_read(certificate_path(key_file)))
    except (ValueError, TypeError):
        raise ConfigurationError(f"{key_file} or its certificate is not readable PEM.", code="seal.key_file") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise ConfigurationError(f"{key_file} does not hold a P-256 key.", code="seal.key_file")
    if certificate.public_key() != private.public_key():
        raise ConfigurationError(f"The certificate beside {key_file} is of another key.", code="seal.key_file")
    return FileKey(private, certificate)


def verification_key(key: SigningKey) -> VerificationKey:
    """The public half as the registry keeps it: the certificate, valid as long as the certificate is."""
    return VerificationKey(
        kid=key.kid,
        algorithm=key.algorithm,
        pem=key.certificate.public_bytes(Encoding.PEM).decode("ascii"),
        valid_from=key.certificate.not_valid_before_utc,
        valid_to=key.certificate.not_valid_after_utc,
    )


def registry_entry(key: SigningKey) -> str:
    """The public half as YAML for a registry file, one item of a list of keys."""
    entry = verification_key(key)
    pem = "".join(f"    {line}\n" for line in entry.pem.splitlines())
    until = "" if entry.valid_to is None else f"  valid_to: '{format_datetime(entry.valid_to)}'\n"
    return (
        f"- kid: '{entry.kid}'\n"
        f"  algorithm: {entry.algorithm.value}\n"
        f"  valid_from: '{format_datetime(entry.valid_from)}'\n"
        f"{until}"
        f"  pem: |\n{pem}"
    )


def _certificate(
    private: ec.EllipticCurvePrivateKey, common_name: str, organization: str, now: datetime, valid_for: timedelta
) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    begin = now.astimezone(UTC).replace(microsecond=0)
    # RFC 5280 section 4.2.1.3: a seal is a digital signature that commits its owner, nothing else.
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + valid_for)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(private, hashes.SHA256())
    )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that does not exist yet, to the disk; never with a wider mode than asked, not even for a moment."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise ConfigurationError(f"{path} exists already and is not overwritten.", code="seal.key_file") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.", code="seal.key_file") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_FILE)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", code="seal.key_file") from None


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # Of the open file, so that nobody can swap it between the check and the reading.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise ConfigurationError(
                    f"{path} may be read by others than its owner (mode {mode:04o}).",
                    code="seal.key_mode",
                    action=f"Run: chmod 600 {path} - and make a new key if others had access.",
                )
            return file.read(_MAX_KEY_FILE)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", code="seal.key_file") from None
