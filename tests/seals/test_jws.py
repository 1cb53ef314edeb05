"""The JSON seal: what holds, and each way in which it does not."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import SealRefused, TooLarge
from hub.schemas import jcs
from hub.schemas.jcs import JsonValue
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals import compact
from hub.seals.jws import peek_kid, seal_json, verify_json
from hub.seals.keys import FileKey


def header_of(payload: bytes, key: FileKey, **changes: object) -> dict[str, object]:
    """The header that a right seal has, with changes; ``None`` leaves a member out."""
    right: dict[str, object] = {
        "alg": "ES256",
        "kid": key.kid,
        "typ": "appeal-envelope+jws",
        "cty": "json",
        "jcs_sha256": jcs.digest(payload),
    }
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


def sign(header: Mapping[str, object] | bytes, payload: bytes, key: FileKey) -> bytes:
    """A token with any header, its signature right."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = compact.encode(raw) + b"." + compact.encode(payload)
    return signing_input + b"." + compact.encode(key.sign(signing_input))


def refusal(token: bytes, entry: VerificationKey) -> str:
    """The code of the refusal."""
    with pytest.raises(SealRefused) as caught:
        verify_json(token, entry)
    return caught.value.stable_code


def test_a_seal_holds(token: bytes, payload: bytes, key: FileKey, entry: VerificationKey) -> None:
    """What was sealed is returned, byte for byte, and the token names its key."""
    assert verify_json(token, entry) == payload
    assert peek_kid(token) == key.kid


def test_header_is_exactly_what_is_documented(token: bytes, payload: bytes, key: FileKey) -> None:
    """Six members in canonical order, the digest being that of the payload."""
    raw = base64.urlsafe_b64decode(token.split(b".")[0] + b"==")
    header = json.loads(raw)
    issued = header.pop("iat")
    assert header == header_of(payload, key)
    assert abs(issued - datetime.now(UTC).timestamp()) < 600
    assert raw == jcs.canonical_bytes({**header, "iat": issued})


@given(st.dictionaries(st.text(max_size=5), st.text() | st.integers(0, 9), max_size=4))
def test_anything_canonical_goes_there_and_back(
    key: FileKey, entry: VerificationKey, value: dict[str, JsonValue]
) -> None:
    """Whatever canonical bytes are sealed come back unchanged."""
    payload = jcs.canonical_bytes(value)
    assert verify_json(seal_json(payload, key), entry) == payload


def test_signing_time_is_optional(payload: bytes, key: FileKey, entry: VerificationKey) -> None:
    """A signer that leaves ``iat`` out is taken: it proves nothing."""
    assert verify_json(sign(header_of(payload, key), payload, key), entry) == payload


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"alg": "none"}, "seal.algorithm"),
        ({"alg": "HS256"}, "seal.algorithm"),
        ({"alg": "ES384"}, "seal.algorithm"),
        ({"alg": "es256"}, "seal.algorithm"),
        ({"alg": None}, "seal.header"),
        ({"alg": ["ES256"]}, "seal.header"),
        ({"kid": "../../etc/passwd"}, "seal.kid"),
        ({"kid": "' OR '1'='1"}, "seal.kid"),
        ({"kid": None}, "seal.header"),
        ({"kid": 1}, "seal.header"),
        ({"typ": "JWT"}, "seal.header"),
        ({"typ": None}, "seal.header"),
        ({"cty": "JWT"}, "seal.header"),
        ({"cty": None}, "seal.header"),
        ({"jcs_sha256": None}, "seal.header"),
        ({"jcs_sha256": "0" * 64}, "seal.digest"),
        ({"jcs_sha256": "їжак"}, "seal.digest"),
        ({"jku": "https://attacker.example/jwks.json"}, "seal.header"),
        ({"x5u": "https://attacker.example/cert.pem"}, "seal.header"),
        ({"jwk": {"kty": "EC"}}, "seal.header"),
        ({"x5c": ["MIIB"]}, "seal.header"),
        ({"x5t": "AAAA"}, "seal.header"),
        ({"x5t#S256": "AAAA"}, "seal.header"),
        ({"crit": ["b64"], "b64": False}, "seal.header"),
        ({"crit": []}, "seal.header"),
        ({"crit": ["exp"], "exp": 1}, "seal.header"),
        ({"b64": False}, "seal.header"),
        ({"b64": True}, "seal.header"),
        ({"zip": "DEF"}, "seal.header"),
        ({"enc": "A256GCM"}, "seal.header"),
        ({"url": "https://attacker.example"}, "seal.header"),
        ({"iat": "2026-01-01"}, "seal.header"),
        ({"iat": -1}, "seal.header"),
        ({"iat": True}, "seal.header"),
        ({"iat": 1.5}, "seal.header"),
    ],
    ids=str,
)
def test_headers_off_the_list_are_refused(
    payload: bytes, key: FileKey, entry: VerificationKey, changes: dict[str, object], expected: str
) -> None:
    """Every header but the documented one is refused for its reason, though its signature is right."""
    assert refusal(sign(header_of(payload, key, **changes), payload, key), entry) == expected


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"ES256"',
        b'{"alg":"ES256","\\u0061lg":"none"',
        b"\xef\xbb\xbf{",
        b"[]",
        b'"ES256"',
        b"null",
        b"{",
        b'{"alg":"ES256","x":' + b"[" * 5 + b"]" * 5 + b"}",
        b'{"alg":"ES256","x":"' + b"x" * 4_096 + b'"}',
    ],
)
def test_headers_that_are_not_strict_json_are_refused(
    payload: bytes, key: FileKey, entry: VerificationKey, header: bytes
) -> None:
    """Two members of one name, and whatever else one reader sees otherwise than another, never reach a library."""
    rest = json.dumps({k: v for k, v in header_of(payload, key).items() if k != "alg"}).encode()[1:]
    raw = header + b"," + rest if header.startswith(b'{"alg"') and not header.endswith(b"}") else header
    assert refusal(sign(raw, payload, key), entry) == "seal.header"


def test_hmac_with_the_public_key_is_refused(payload: bytes, key: FileKey, entry: VerificationKey) -> None:
    """The classic confusion: HS256 keyed with the public PEM is refused by algorithm, before any key is touched."""
    header = json.dumps(header_of(payload, key, alg="HS256")).encode()
    signing_input = compact.encode(header) + b"." + compact.encode(payload)
    for secret in (entry.pem.encode(), key.certificate.public_bytes(Encoding.DER)):
        mac = hmac.HMAC(secret, hashes.SHA256())
        mac.update(signing_input)
        assert refusal(signing_input + b"." + compact.encode(mac.finalize()), entry) == "seal.algorithm"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: b"",
        lambda t: t + b"=",
        lambda t: t + b"\n",
        lambda t: b" " + t,
        lambda t: t.replace(b".", b"..", 1),
        lambda t: t.rpartition(b".")[0],
        lambda t: t.rpartition(b".")[0] + b".",
        lambda t: t + b".AAAA",
        lambda t: b"." + t.partition(b".")[2],
        lambda t: t.replace(b".", b"=.", 1),
        lambda t: t[:-1] + b"+",
        lambda t: t[:-1] + b"?",
        lambda t: t[:-1] + bytes([t[-1] + 1]),
        lambda t: t + b"AAA",
        lambda t: t[:40] + b"\n" + t[40:],
        lambda t: json.dumps({"payload": t.split(b".")[1].decode()}).encode(),
        lambda t: "їжак".encode() + t,
    ],
)
def test_only_one_spelling_of_a_token_is_read(token: bytes, entry: VerificationKey, spoil: object) -> None:
    """Padding, blanks, line ends, stray characters, leftover bits, missing or extra parts: seal.grammar."""
    assert callable(spoil)
    assert refusal(spoil(token), entry) == "seal.grammar"


def test_every_changed_character_is_refused(token: bytes, entry: VerificationKey) -> None:
    """No character of a token can be replaced unnoticed."""
    for index in range(len(token)):
        changed = token[:index] + (b"B" if token[index : index + 1] == b"A" else b"A") + token[index + 1 :]
        refusal(changed, entry)


def test_length_is_limited_before_reading(key: FileKey, entry: VerificationKey) -> None:
    """A token over the limit is refused unread, and the hub does not make one."""
    assert refusal(b"A" * (compact.MAX_TOKEN_BYTES + 1), entry) == "seal.too_large"
    with pytest.raises(TooLarge):
        seal_json(b'"' + b"x" * compact.MAX_PAYLOAD_BYTES + b'"', key)
    largest = b'"' + b"x" * (compact.MAX_PAYLOAD_BYTES - 2) + b'"'
    assert verify_json(seal_json(largest, key), entry) == largest


@pytest.mark.parametrize(
    "payload",
    [
        b'{ "a":1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":1}\n',
        b"\xef\xbb\xbf{}",
        b"not json",
        b"",
        b'"\\ud800"',
        b"[" * 33 + b"]" * 33,
    ],
)
def test_payload_must_be_canonical(key: FileKey, entry: VerificationKey, payload: bytes) -> None:
    """A right signature over bytes that are not RFC 8785 form does not make them an envelope."""
    assert refusal(sign(header_of(payload, key), payload, key), entry) == "seal.not_canonical"


def test_another_key_is_refused(payload: bytes, key: FileKey, other: FileKey, entry: VerificationKey) -> None:
    """A seal by somebody else is refused, under his key id or under the genuine one."""
    assert refusal(seal_json(payload, other), entry) == "seal.kid"
    assert refusal(sign(header_of(payload, key), payload, other), entry) == "seal.signature"


def test_an_expired_key_is_refused(token: bytes, key: FileKey, entry: VerificationKey) -> None:
    """The moment is the caller's; outside the key's span nothing holds."""
    end = key.certificate.not_valid_after_utc
    assert verify_json(token, entry, at=end - timedelta(seconds=1))
    with pytest.raises(SealRefused) as caught:
        verify_json(token, entry, at=end)
    assert caught.value.stable_code == "seal.key_expired"


def test_a_registry_entry_of_another_algorithm_is_refused(token: bytes, entry: VerificationKey) -> None:
    """The registry's algorithm decides, not the token's; a key that is not of it is refused."""
    assert refusal(token, entry.model_copy(update={"algorithm": SealAlgorithm.RS256})) == "seal.algorithm"
    pem = (
        rsa.generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    assert refusal(token, entry.model_copy(update={"pem": pem.decode()})) == "seal.key"


def test_refusals_show_nothing_of_the_message(payload: bytes, key: FileKey, entry: VerificationKey) -> None:
    """No part of header or payload is repeated in a refusal."""
    secret = "Секрет".encode()
    for bad in (
        sign(header_of(secret, key), secret, key),
        sign(header_of(payload, key, typ="Секрет"), payload, key),
        sign(header_of(payload, key, kid="Секрет"), payload, key),
        sign(header_of(payload, key, Секрет="x"), payload, key),
    ):
        with pytest.raises(SealRefused) as caught:
            verify_json(bad, entry)
        assert "Секрет" not in str(caught.value)


@given(st.binary(max_size=80))
def test_peek_on_any_bytes_is_a_refusal(data: bytes) -> None:
    """Nothing but SealRefused leaves when rubbish comes as a seal."""
    with pytest.raises(SealRefused):
        peek_kid(data)
