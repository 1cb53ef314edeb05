"""Public keys and texts of a bundle: each in the form that other programs read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.errors import SealRefused
from hub.evidence import keys, readme
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals.keys import verification_key
from tests.delivery.world import keys as made_keys

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def bare(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    """SubjectPublicKeyInfo of a private key."""
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(("algorithm", "kty"), [(SealAlgorithm.ES256, "EC"), (SealAlgorithm.PS256, "RSA")])
def test_a_bare_key_is_there_as_key_jwk_and_entry(algorithm: SealAlgorithm, kty: str) -> None:
    """Its names are safe as files, the JWK has no private half, the entry is the registry's; no certificate is."""
    private = ec.generate_private_key(ec.SECP256R1()) if kty == "EC" else rsa.generate_private_key(65537, 2048)
    key = VerificationKey(kid="a:b" + "c" * 40, algorithm=algorithm, pem=bare(private), valid_from=NOW)
    files = keys.forms("00032106", key)
    base = "keys/00032106-a_b" + "c" * 13
    assert set(files) == {f"{base}.pub", f"{base}.jwk", f"{base}.json"}
    assert files[f"{base}.pub"].decode() == bare(private)
    jwk = json.loads(files[f"{base}.jwk"])
    assert (jwk["kty"], "d" in jwk) == (kty, False)
    assert files[f"{base}.jwk"].endswith(b"}\n")
    entry = json.loads(files[f"{base}.json"])
    assert (entry.pop("party"), VerificationKey.model_validate_json(json.dumps(entry))) == ("00032106", key)
    assert "valid_to" not in entry


def test_a_certificate_stands_beside_its_key() -> None:
    """A registry that has a certificate gives it to other programs as it is."""
    key = verification_key(made_keys()[0])
    files = keys.forms("36521731", key)
    (path,) = [path for path in files if path.endswith(".crt")]
    assert files[path].decode().strip() == key.pem.strip()


@pytest.mark.parametrize("pem", ["no key", bare(ed25519.Ed25519PrivateKey.generate())])
def test_what_is_no_key_of_a_seal_is_refused(pem: str) -> None:
    """A registry's entry that cannot be read, or is a key of another kind."""
    with pytest.raises(SealRefused) as caught:
        keys.forms("00032106", VerificationKey(kid="k", pem=pem, valid_from=NOW))
    assert caught.value.stable_code == "seal.key"


def test_an_empty_bundle_says_that_there_is_nothing() -> None:
    """No seals, nothing sent, nothing left out: each place of the text says so, and no place is left open."""
    key = VerificationKey(kid="k" * 40, pem=bare(ec.generate_private_key(ec.SECP256R1())), valid_from=NOW)
    used = {("36521731", key.kid): key}
    text, script = readme.write(case_id="case-1", hub="36521731", own=key, seals=(), used=used, sent=(), left_out=0)
    assert "# Evidence of case case-1" in text
    assert "hub of 36521731" in text
    assert "files by SHA-256; all that the envelopes name |" in text
    assert "```sh\n# none\n```" in text
    assert "```sh\n# nothing was sent\n```" in text
    assert f"- 36521731: `{key.kid}` (`keys/36521731-{'k' * 16}.pub`)" in text
    assert "{{" not in text + script
    assert script.count("\nholds ") == 3
    several = readme.write(
        case_id="c", hub="36521731", own=key, seals=(), used=used, sent=[("a", "1"), ("b", "2")], left_out=2
    )
    assert "files by SHA-256; 2 are left out of this bundle |" in several[0]
    assert several[1].count("\nholds ") == 5
    assert "holds \"sent as written: b\" 'test $(sha256sum < b | cut -c 1-64) = 2'" in several[1]
