"""Key files: private, checked, and never shown."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hub.errors import ConfigurationError, SealRefused
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals.hub_seal import HubSeal
from hub.seals.keys import (
    FileKey,
    certificate_path,
    entry_path,
    load_signing_key,
    make_key_file,
    registry_entry,
    verification_key,
)
from hub.seals.public import fingerprint, load_public, verify_signature

NOW = datetime(2026, 3, 1, 12, 30, 15, 987_000, tzinfo=UTC)


def make(folder: Path, name: str = "hub.pem") -> FileKey:
    """A key file of this name."""
    return make_key_file(folder / name, common_name="Хаб", organization="НКЦ", now=NOW)


def private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """PKCS#8 without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """SubjectPublicKeyInfo of a private key."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def code(error: pytest.ExceptionInfo[ConfigurationError]) -> str:
    """The stable code of what was raised."""
    return error.value.stable_code


def test_files_are_private_and_complete(tmp_path: Path) -> None:
    """The private key is 0600 whatever the umask; certificate and registry entry stand beside it for all to read."""
    before = os.umask(0)
    try:
        key = make(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "hub.pem").stat().st_mode & 0o777 == 0o600
    assert certificate_path(tmp_path / "hub.pem").stat().st_mode & 0o777 == 0o644
    assert entry_path(tmp_path / "hub.pem").name == "hub.public.yaml"
    assert load_signing_key(tmp_path / "hub.pem").kid == key.kid


def test_certificate_says_what_was_asked(tmp_path: Path) -> None:
    """Names, two years of validity, P-256, and a key usage of signatures alone."""
    certificate = make(tmp_path).certificate
    assert certificate.subject.rfc4514_string() == "CN=Хаб,O=НКЦ"
    assert certificate.not_valid_before_utc == NOW.replace(microsecond=0)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=730)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign


def test_key_id_is_the_hash_of_the_public_key(tmp_path: Path) -> None:
    """Anyone can recompute the key id: SHA-256 of the SubjectPublicKeyInfo."""
    key = make(tmp_path)
    spki = key.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key.kid == hashlib.sha256(spki).hexdigest()


def test_registry_entry_is_the_verification_key(tmp_path: Path) -> None:
    """The YAML that is written beside the key reads back as the registry's model of the same key."""
    key = make(tmp_path)
    written = entry_path(tmp_path / "hub.pem").read_text("utf-8")
    assert written == registry_entry(key)
    (entry,) = yaml.safe_load(written)
    entry["algorithm"] = SealAlgorithm(entry["algorithm"])
    assert VerificationKey(**{**entry, "pem": entry["pem"].strip()}) == verification_key(key)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second key of the same name is refused and the first stays."""
    kid = make(tmp_path).kid
    with pytest.raises(ConfigurationError) as caught:
        make(tmp_path)
    assert code(caught) == "seal.key_file"
    assert load_signing_key(tmp_path / "hub.pem").kid == kid


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Group or world bits on the private key stop the hub with what to do."""
    make(tmp_path)
    (tmp_path / "hub.pem").chmod(mode)
    with pytest.raises(ConfigurationError) as caught:
        load_signing_key(tmp_path / "hub.pem")
    assert code(caught) == "seal.key_mode"
    assert "chmod 600" in caught.value.next_step


def test_broken_key_files_are_refused(tmp_path: Path) -> None:
    """Missing, not PEM, of another curve or type, or beside another key's certificate: one code, no traceback."""
    make(tmp_path)
    make(tmp_path, "second.pem")
    file = tmp_path / "hub.pem"
    with pytest.raises(ConfigurationError) as caught:
        load_signing_key(tmp_path / "absent.pem")
    assert code(caught) == "seal.key_file"
    contents = [
        b"",
        b"not a key",
        private_pem(ec.generate_private_key(ec.SECP384R1())),
        private_pem(rsa.generate_private_key(65537, 2048)),
        (tmp_path / "second.pem").read_bytes(),
    ]
    for content in contents:
        file.write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            load_signing_key(file)
        assert code(caught) == "seal.key_file"


def test_a_folder_that_is_not_there_is_a_named_error(tmp_path: Path) -> None:
    """Writing into nowhere is a setting that is wrong, not a traceback."""
    with pytest.raises(ConfigurationError) as caught:
        make(tmp_path / "absent")
    assert code(caught) == "seal.key_file"


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb"])
def test_names_that_a_certificate_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    """X.520 allows 64 characters; nothing is written otherwise."""
    with pytest.raises(ConfigurationError) as caught:
        make_key_file(tmp_path / "hub.pem", common_name=name, organization="x", now=NOW)
    assert code(caught) == "seal.key_name"
    assert list(tmp_path.iterdir()) == []


def test_the_private_half_is_not_shown_or_copied(key: FileKey) -> None:
    """Neither repr nor pickle nor copy gives the private key away."""
    assert repr(key) == f"FileKey(kid='{key.kid}')"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.deepcopy(key)


def test_signature_is_raw_and_verifies(key: FileKey, entry: VerificationKey) -> None:
    """64 bytes r‖s; one changed bit of either half, zeros, or another length are refused."""
    signature = key.sign(b"data")
    public = load_public(entry, at=datetime.now(UTC))
    assert len(signature) == 64
    verify_signature(public, b"data", signature)
    changed = [signature[:i] + bytes([signature[i] ^ 1]) + signature[i + 1 :] for i in (0, 31, 32, 63)]
    for wrong in [*changed, bytes(64), signature[:32] + bytes(32), bytes(32) + signature[32:], signature[:63], b""]:
        with pytest.raises(SealRefused) as caught:
            verify_signature(public, b"data", wrong)
        assert caught.value.stable_code == "seal.signature"


@pytest.mark.parametrize("algorithm", SealAlgorithm)
def test_a_key_serves_only_its_algorithm(algorithm: SealAlgorithm) -> None:
    """Each algorithm takes its own kind of key, as bare SubjectPublicKeyInfo, and no other; short RSA never."""
    keys: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = {
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "rsa2048": rsa.generate_private_key(65537, 2048),
        "rsa1024": rsa.generate_private_key(65537, 1024),
    }
    fitting = {"ES256": "p256", "ES384": "p384", "PS256": "rsa2048", "RS256": "rsa2048"}[algorithm]
    for name, private in keys.items():
        entry = VerificationKey(kid="k", algorithm=algorithm, pem=public_pem(private), valid_from=NOW)
        if name == fitting:
            assert load_public(entry, at=NOW).algorithm is algorithm
        else:
            with pytest.raises(SealRefused) as caught:
                load_public(entry, at=NOW)
            assert caught.value.stable_code == "seal.key"


def test_time_is_checked_on_entry_and_certificate(key: FileKey, entry: VerificationKey) -> None:
    """Before, after, or outside the certificate although inside the entry: the key was not valid."""
    begin, end = key.certificate.not_valid_before_utc, key.certificate.not_valid_after_utc
    wide = entry.model_copy(update={"valid_from": begin - timedelta(days=9), "valid_to": None})
    narrow = entry.model_copy(update={"valid_to": begin + timedelta(days=1)})
    for checked, moment in [
        (entry, begin - timedelta(seconds=1)),
        (entry, end),
        (wide, begin - timedelta(seconds=1)),
        (wide, end + timedelta(seconds=1)),
        (narrow, begin + timedelta(days=1)),
    ]:
        with pytest.raises(SealRefused) as caught:
            load_public(checked, at=moment)
        assert caught.value.stable_code == "seal.key_expired"
    assert load_public(entry, at=begin).certificate == key.certificate


@pytest.mark.parametrize(
    "pem",
    [
        "-",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ],
)
def test_unreadable_registry_keys_are_refused(pem: str) -> None:
    """PEM that is none is a refusal with a code, not a traceback."""
    with pytest.raises(SealRefused) as caught:
        load_public(VerificationKey(kid="k", pem=pem, valid_from=NOW), at=NOW)
    assert caught.value.stable_code == "seal.key"


def test_a_certificate_for_encryption_does_not_verify_seals() -> None:
    """Key usage without signatures is respected (RFC 5280 section 4.2.1.3)."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    usage = x509.KeyUsage(False, False, True, False, True, False, False, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(usage, critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM).decode()
    with pytest.raises(SealRefused) as caught:
        load_public(VerificationKey(kid="k", pem=pem, valid_from=NOW), at=NOW)
    assert caught.value.stable_code == "seal.key"


@pytest.mark.parametrize("algorithm", [SealAlgorithm.PS256, SealAlgorithm.RS256])
def test_rsa_signatures_hold_by_their_own_padding(algorithm: SealAlgorithm) -> None:
    """PSS with a salt as long as the hash, or PKCS#1 v1.5, as the algorithm says; the other one is refused."""
    private = rsa.generate_private_key(65537, 2048)
    entry = VerificationKey(kid="k", algorithm=algorithm, pem=public_pem(private), valid_from=NOW)
    public = load_public(entry, at=NOW)
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    short_salt = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=20)
    right, *wrong = [
        private.sign(b"data", each, hashes.SHA256())
        for each in (
            (pss, short_salt, padding.PKCS1v15())
            if algorithm is SealAlgorithm.PS256
            else (padding.PKCS1v15(), pss, short_salt)
        )
    ]
    verify_signature(public, b"data", right)
    for data, signature in [(b"data2", right), *((b"data", each) for each in wrong)]:
        with pytest.raises(SealRefused) as caught:
            verify_signature(public, data, signature)
        assert caught.value.stable_code == "seal.signature"


def test_each_broken_file_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    """A missing key or certificate, another curve, another key's certificate: the sentence names the file."""
    make(tmp_path)
    make(tmp_path, "second.pem")
    file, certificate = tmp_path / "hub.pem", certificate_path(tmp_path / "hub.pem")
    whole = {path: path.read_bytes() for path in (file, certificate)}
    for path, content, words in [
        (file, private_pem(ec.generate_private_key(ec.SECP384R1())), f"{file} does not hold a P-256 key."),
        (file, b"no key", f"{file} or its certificate is not readable PEM."),
        (file, (tmp_path / "second.pem").read_bytes(), f"The certificate beside {file} is of another key."),
        (certificate, None, f"{certificate} cannot be read"),
    ]:
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            load_signing_key(file)
        assert caught.value.message.startswith(words)
        assert code(caught) == "seal.key_file"
        path.write_bytes(whole[path])


def test_the_certificate_is_for_seals_and_for_nothing_else(tmp_path: Path) -> None:
    """No authority, two uses of the key, whole seconds, names of up to 64 characters (RFC 5280 section 4.2.1.3)."""
    made = make_key_file(tmp_path / "long.pem", common_name="x" * 64, organization="y", now=NOW).certificate
    extensions = made.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment) == (True, True)
    others = ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
    assert not any(getattr(usage, other) for other in others)
    assert made.not_valid_before_utc == NOW.replace(microsecond=0)
    assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(days=730)


def test_a_certificates_fingerprint_is_the_hash_of_its_bytes(key: FileKey) -> None:
    """As ``openssl x509 -fingerprint -sha256`` tells it, in small letters without colons."""
    assert fingerprint(key.certificate) == key.certificate.fingerprint(hashes.SHA256()).hex()


def test_the_last_second_of_a_certificate_still_counts(key: FileKey, entry: VerificationKey) -> None:
    """RFC 5280 section 4.1.2.5: the dates of a certificate are inclusive."""
    end = key.certificate.not_valid_after_utc
    wide = entry.model_copy(update={"valid_to": None})
    assert load_public(wide, at=end).certificate == key.certificate


def test_without_a_key_nothing_is_sealed() -> None:
    """A hub that only checks seals says so with a code when it is to make one."""
    for seal in (HubSeal(None).seal_json, HubSeal(None).seal_xml):
        with pytest.raises(ConfigurationError) as caught:
            seal(b"{}")
        assert code(caught) == "seal.no_key"
