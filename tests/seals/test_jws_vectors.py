"""JWS of others, through our strict reading and a library: Wycheproof, the JOSE cookbook, RFC 7797.

The primitive takes the algorithm and the verifier from the caller, so algorithms that the hub does not offer can be
shown to verify too; at the hub's door they are refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from hub.errors import SealRefused
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals import compact
from hub.seals.jws import peek_kid
from hub.seals.public import load_public, verify_signature

# Invalid for the use of their key alone; the registry's keys are for signatures, so the rule stands where it is filled.
NOT_FOR_SIGNATURES = {353, 354, 355, 356}
# Byte for byte the token that test 357 calls valid.
SAME_AS_VALID = {367, 370}

Jwk: TypeAlias = dict[str, Any]
Verify: TypeAlias = Callable[[bytes, bytes], None]

# Valid in Wycheproof's file, refused here because the hub does not offer the algorithm.
NOT_OFFERED = {
    "HS256": {1, 348, 352, 357, 358, 359, 372, 373, 376, 377},
    "RS384": {264, 265, 266, 267},
    "RS512": {268, 269, 270, 271},
    "PS384": {320, 321, 322, 323, 346, 350},
    "PS512": {325, 326, 327, 328},
    "ES512": {347, 351},
}
# Marked valid although a "?" stands inside base64url: no strict grammar can take them, whatever the algorithm.
STRAY_CHARACTER = {372, 373}


def not_offered() -> SealRefused:
    """The refusal of an algorithm that no registry entry can name."""
    return SealRefused("The algorithm is not offered.", code="seal.algorithm")


def public_part(jwk: Jwk) -> Jwk:
    """The key material that verifies, without what the key may be used for."""
    return {k: v for k, v in jwk.items() if k in {"kty", "k", "crv", "x", "y", "n", "e"}}


def registry_key(jwk: Jwk, algorithm: str) -> VerificationKey:
    """A registry entry for a JWK; a key that is not for signatures gets none."""
    if algorithm not in set(SealAlgorithm) or jwk.get("alg", algorithm) != algorithm:
        raise not_offered()
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        raise SealRefused("The key is not for signatures.", code="seal.key")
    key = JWKRegistry.import_key(public_part(jwk))
    assert isinstance(key, (ECKey, RSAKey))
    return VerificationKey(
        kid="k",
        algorithm=SealAlgorithm(algorithm),
        pem=key.as_pem(private=False).decode(),
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    )


def ours(jwk: Jwk, algorithm: str) -> Verify:
    """The hub's own verification with the key of a registry entry."""
    public = load_public(registry_key(jwk, algorithm), at=datetime.now(UTC))
    return lambda data, signature: verify_signature(public, data, signature)


def library(jwk: Jwk, algorithm: str) -> Verify:
    """Any algorithm, by joserfc."""
    model = JWSRegistry.algorithms[algorithm]
    key = JWKRegistry.import_key(jwk)
    assert isinstance(key, (ECKey, RSAKey, OKPKey, OctKey))

    def verify(data: bytes, signature: bytes) -> None:
        try:
            holds = model.verify(data, signature, key)
        except (JoseError, ValueError):
            holds = False
        if not holds:
            raise SealRefused("The signature does not hold.", code="seal.signature")

    return verify


def refusal(token: bytes, algorithm: str, verify: Callable[[], Verify]) -> str:
    """Code of the refusal, empty if the token was taken."""
    try:
        holds = verify()
        parts = compact.split(token)
        compact.require_algorithm(parts, algorithm)
        holds(parts.signing_input, parts.signature)
    except SealRefused as error:
        return error.stable_code
    return ""


def wycheproof(vectors: Path) -> list[tuple[dict[str, Any], Jwk]]:
    """All tests of the JWS file with the key of their group."""
    document = json.loads((vectors / "wycheproof" / "testvectors_v1" / "json_web_signature_test.json").read_bytes())
    groups = document["testGroups"]
    return [(test, group.get("public") or group["private"]) for group in groups for test in group["tests"]]


def header_algorithm(token: bytes, default: str) -> str:
    """The algorithm that a token names, for valid tokens whose JWK names another."""
    try:
        return str(compact.split(token).header["alg"])
    except (SealRefused, KeyError):
        return default


@pytest.mark.vectors("wycheproof")
def test_wycheproof_through_the_door(vectors: Path) -> None:
    """All 355 invalid tests are refused; the 46 valid ones are taken, or their algorithm is not offered."""
    tests = wycheproof(vectors)
    refused = taken = 0
    for test, jwk in tests:
        token = (test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])).encode()
        algorithm = str(jwk.get("alg", header_algorithm(token, "ES256")))
        if test["result"] == "valid" and test["tcId"] >= 345:
            algorithm = header_algorithm(token, algorithm)  # these JWK name an algorithm that their tokens do not use
        code = refusal(token, algorithm, partial(ours, jwk, algorithm))
        if test["result"] == "invalid":
            assert code, test["tcId"]
            refused += 1
        elif test["tcId"] in set().union(*NOT_OFFERED.values()):
            assert algorithm in NOT_OFFERED, test["tcId"]
            assert code == "seal.algorithm", test["tcId"]
        else:
            assert code == "", test["tcId"]
            taken += 1
    assert (len(tests), refused, taken) == (401, 355, 46 - sum(map(len, NOT_OFFERED.values())))


@pytest.mark.vectors("wycheproof")
def test_wycheproof_algorithms_that_are_not_offered(vectors: Path) -> None:
    """Our reading is not what stops them: with the library behind the primitive they verify, less two with a "?"."""
    for test, jwk in wycheproof(vectors):
        if test["tcId"] not in set().union(*NOT_OFFERED.values()):
            continue
        token = test["jws"].encode()
        algorithm = header_algorithm(token, "HS256")
        code = refusal(token, algorithm, partial(library, public_part(jwk), algorithm))
        assert code == ("seal.grammar" if test["tcId"] in STRAY_CHARACTER else ""), test["tcId"]


@pytest.mark.vectors("wycheproof")
def test_wycheproof_invalid_whatever_the_algorithm(vectors: Path) -> None:
    """Also where the hub would offer every algorithm, reading and signature alone refuse the invalid ones."""
    taken = set()
    for test, jwk in wycheproof(vectors):
        if test["result"] == "invalid":
            token = (test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])).encode()
            algorithm = str(jwk.get("alg", header_algorithm(token, "ES256")))
            if refusal(token, algorithm, partial(library, public_part(jwk), algorithm)) == "":
                taken.add(test["tcId"])
    assert taken == NOT_FOR_SIGNATURES | SAME_AS_VALID
    (valid,) = (test["jws"] for test, _ in wycheproof(vectors) if test["tcId"] == 357)
    assert {test["tcId"] for test, _ in wycheproof(vectors) if test["jws"] == valid} == {357} | SAME_AS_VALID


@pytest.mark.vectors("wycheproof")
def test_wycheproof_ecdsa_signatures(vectors: Path) -> None:
    """All 310 invalid P-256 signatures are refused and all 174 valid ones taken, as r‖s through our verification."""
    file = vectors / "wycheproof" / "testvectors_v1" / "ecdsa_secp256r1_sha256_test.json"
    counts = {"valid": 0, "invalid": 0}
    for group in json.loads(file.read_bytes())["testGroups"]:
        entry = VerificationKey(kid="k", pem=group["publicKeyPem"].strip(), valid_from=datetime(2020, 1, 1, tzinfo=UTC))
        public = load_public(entry, at=datetime.now(UTC))
        for test in group["tests"]:
            try:
                r, s = decode_dss_signature(bytes.fromhex(test["sig"]))
                raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
                verify_signature(public, bytes.fromhex(test["msg"]), raw)
                result = "valid"
            except (ValueError, OverflowError, SealRefused):
                result = "invalid"
            assert result == test["result"], test["tcId"]
            counts[result] += 1
    assert counts == {"valid": 174, "invalid": 310}


def cookbook(vectors: Path, name: str) -> dict[str, Any]:
    """One example of the cookbook."""
    document: dict[str, Any] = json.loads((vectors / "rfc7520-jose-cookbook" / name).read_bytes())
    return document


def tokens(example: dict[str, Any]) -> list[tuple[bytes, Jwk, str, str]]:
    """Each signature of an example as (token, key, algorithm, outcome expected from the primitive)."""
    keys, algorithms = example["input"]["key"], example["input"]["alg"]
    keys, algorithms = (keys, algorithms) if isinstance(keys, list) else ([keys], [algorithms])
    payload = compact.encode(example["input"]["payload"].encode()).decode()
    found = []
    if "compact" in example["output"]:
        found.append((example["output"]["compact"].replace("..", f".{payload}."), keys[0], algorithms[0]))
    flat = example["output"].get("json_flat")
    for i, part in enumerate(example["output"]["json"]["signatures"] + ([flat] if flat else [])):
        # A part without protected header has no compact form: the strict reading refuses its empty first part.
        token = f"{part.get('protected', '')}.{payload}.{part['signature']}"
        found.append((token, keys[i % len(keys)], algorithms[i % len(keys)]))
    return [
        (token.encode(), key, alg, "seal.grammar" if token.startswith(".") else expected(token, alg))
        for token, key, alg in found
    ]


def expected(token: str, algorithm: str) -> str:
    """Taken if the algorithm is protected; an algorithm outside the signature is none."""
    return "" if header_algorithm(token.encode(), "") == algorithm else "seal.algorithm"


COOKBOOK = {
    "jws/4_1.rsa_v15_signature.json": ["", "", ""],
    "jws/4_2.rsa-pss_signature.json": ["", "", ""],
    "jws/4_3.ecdsa_signature.json": ["", "", ""],
    "jws/4_4.hmac-sha2_integrity_protection.json": ["", "", ""],
    "jws/4_5.signature_with_detached_content.json": ["", "", ""],
    "jws/4_6.protecting_specific_header_fields.json": ["", ""],
    "jws/4_7.protecting_content_only.json": ["seal.grammar", "seal.grammar"],
    "jws/4_8.multiple_signatures.json": ["", "seal.grammar", ""],
    "curve25519/jws.json": ["", "", ""],
}


@pytest.mark.vectors("rfc7520-jose-cookbook")
@pytest.mark.parametrize(("name", "outcomes"), COOKBOOK.items())
def test_cookbook_signatures(vectors: Path, name: str, outcomes: list[str]) -> None:
    """Each signature verifies with its key under our reading; without a protected header there is nothing to read."""
    found = tokens(cookbook(vectors, name))
    assert [outcome for *_, outcome in found] == outcomes
    for token, jwk, algorithm, outcome in found:
        assert refusal(token, algorithm, lambda j=jwk, a=algorithm: library(j, a)) == outcome  # type: ignore[misc]
        if outcome:
            data, _, signature = token.rpartition(b".")
            library(jwk, algorithm)(data, compact._decode(signature))  # the value itself is right


@pytest.mark.slow
@pytest.mark.vectors("rfc7520-jose-cookbook")
@pytest.mark.parametrize("name", COOKBOOK)
def test_cookbook_signatures_with_one_changed_bit(vectors: Path, name: str) -> None:
    """One bit of header, payload or signature changed: refused."""
    for token, jwk, algorithm, outcome in tokens(cookbook(vectors, name)):
        parts = token.split(b".")
        for index in range(3 if not outcome else 0):
            data = bytearray(compact._decode(parts[index]))
            data[-1] ^= 1
            changed = b".".join([*parts[:index], compact.encode(bytes(data)), *parts[index + 1 :]])
            assert refusal(changed, algorithm, partial(library, jwk, algorithm))


@pytest.mark.vectors("rfc7520-jose-cookbook")
@pytest.mark.parametrize("name", [*COOKBOOK, "6.nesting_signatures_and_encryption.json"])
def test_cookbook_at_the_door(vectors: Path, name: str) -> None:
    """None of them is an envelope's seal: refused before any key is looked for."""
    example = cookbook(vectors, name)
    found = tokens(example) if name in COOKBOOK else [(example["sign"]["output"]["compact"].encode(), {}, "", "")]
    for token, *_ in found:
        with pytest.raises(SealRefused) as caught:
            peek_kid(token)
        assert caught.value.stable_code in {"seal.header", "seal.grammar"}


@pytest.mark.vectors("rfc7520-jose-cookbook")
def test_encryption_is_not_offered(vectors: Path) -> None:
    """A JWE has five parts: refused by grammar, no work done; its header in a JWS is refused by name."""
    count = 0
    for file in sorted((vectors / "rfc7520-jose-cookbook" / "jwe").iterdir()):
        example = json.loads(file.read_bytes())
        if "compact" in example["output"]:
            with pytest.raises(SealRefused) as caught:
                peek_kid(example["output"]["compact"].encode())
            assert caught.value.stable_code == "seal.grammar"
            count += 1
    assert count >= 8


@pytest.mark.vectors("rfc7520-jose-cookbook")
def test_unencoded_payload_is_not_offered(vectors: Path) -> None:
    """RFC 7797: the right example verifies where a caller asks for it; both are refused as seals, for their header."""
    right = cookbook(vectors, "rfc7797/hmac-sha2_b64_false.json")
    token = right["output"]["compact"].encode()
    data, _, signature = token.rpartition(b".")
    library(right["input"]["key"], "HS256")(data, compact._decode(signature))
    with pytest.raises(SealRefused) as caught:
        peek_kid(token)
    assert caught.value.stable_code == "seal.grammar"  # the payload is not base64url

    for name in ("hmac-sha2_b64_false", "4.2.hmac-sha2_b64_false"):
        (part,) = cookbook(vectors, f"rfc7797/{name}.json")["output"]["json"]["signatures"]
        encoded = f"{part['protected']}.{compact.encode(b'$.02').decode()}.{part['signature']}".encode()
        with pytest.raises(SealRefused) as caught:
            compact.split(encoded)
        assert caught.value.stable_code == "seal.header"
