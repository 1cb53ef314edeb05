"""Who is calling: the key file, the header, tokens of an OAuth2 issuer."""

from __future__ import annotations

import base64
import hmac
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from hub.api.auth import ApiKeys, Authenticator, CallerRole, Principal, append_key, new_api_key, read_keys, revoke_key
from hub.api.tokens import BearerTokens, Jwks, JwksFile, jwks_source
from hub.errors import ConfigurationError, NotFound, Unauthenticated, Unavailable
from tests.api.world import NCC, World, problem

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ISSUER, AUDIENCE = "https://login.example.gov.ua", "appeal-hub"
EC = ECKey.generate_key("P-256", {"kid": "ec"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})


def _now() -> datetime:
    return NOW


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a key file will be."""
    return tmp_path / "api-keys.yaml"


def test_a_key_is_kept_as_digest_only(file: Path) -> None:
    """The file holds no secret, only its owner reads it, and codes keep their zeros."""
    plain, entry = new_api_key("authority", "00032106", note="АСКОД")
    append_key(file, entry)
    assert plain.startswith(f"hub_{entry.id}_")
    assert plain.split("_", 2)[2] not in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_keys(file)[0].party == "00032106"
    assert ApiKeys(file, _now).check(plain) == Principal(
        id=f"key:{entry.id}", role=CallerRole.AUTHORITY, party="00032106"
    )


def test_changes_take_effect_at_once(file: Path) -> None:
    """A running hub sees a new key and a revocation with the next call."""
    keys = ApiKeys(file, _now)
    plain, entry = new_api_key("ncc", NCC)
    append_key(file, entry)
    assert keys.check(plain).party == NCC
    revoke_key(file, entry.id)
    with pytest.raises(Unauthenticated):
        keys.check(plain)
    with pytest.raises(NotFound):
        revoke_key(file, entry.id)


def test_a_key_ends_with_its_time(file: Path) -> None:
    """``valid_to`` is exclusive."""
    for valid_to, holds in ((NOW, False), (NOW + timedelta(seconds=1), True)):
        plain, entry = new_api_key("ncc", NCC, valid_to=valid_to)
        append_key(file, entry)
        keys = ApiKeys(file, _now)
        if holds:
            assert keys.check(plain)
        else:
            with pytest.raises(Unauthenticated):
                keys.check(plain)


@pytest.mark.parametrize("content", ["[", "keys: 5", "keys: [{id: a}]", "other: 1", "keys:\n- &a [*a]"])
def test_a_broken_file_is_refused_and_then_ignored(file: Path, content: str) -> None:
    """A broken file stops the start; in a running hub the keys in force stay."""
    plain, entry = new_api_key("ncc", NCC)
    append_key(file, entry)
    keys = ApiKeys(file, _now)
    file.write_text(content, encoding="utf-8")
    assert keys.check(plain)
    with pytest.raises(ConfigurationError):
        ApiKeys(file, _now)


def test_wrong_values_make_no_key() -> None:
    """A role or a party that cannot be is refused."""
    for role, party in (("admin", NCC), ("ncc", "1"), ("ncc", "365217310000")):
        with pytest.raises(ConfigurationError):
            new_api_key(role, party)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic aaaa",
        "Bearer",
        "Bearer ",
        "Bearer hub_",
        "Bearer hub_x_y",
        "Bearer a b",
        "Bearer a.b.c",
        "hub_x_y",
    ],
)
def test_without_a_valid_credential_nothing_opens(world: World, header: str | None) -> None:
    """Every other header is 401 with WWW-Authenticate, before the body or the parameters are looked at."""
    headers = {"Authorization": header} if header is not None else {}
    response = world.call("POST", "/v1/appeals?nonsense=1", None, data=b"{", headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    problem(response, 401, response.json()["code"])


def test_one_wrong_letter_is_enough(world: World) -> None:
    """A secret that differs in its last letter is refused."""
    token = world.tokens["ncc"]
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    problem(world.call("GET", "/v1/cases", None, headers={"Authorization": f"Bearer {wrong}"}), 401, "auth.invalid")


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": now + 600,
        "nbf": now - 5,
        "sub": "front-end-1",
        "hub_role": "ncc",
        "hub_party": NCC,
    }
    claims.update(changes)
    return {name: value for name, value in claims.items() if value is not None}


def _token(key: Any = EC, alg: str = "ES256", claims: dict[str, Any] | None = None, **header: Any) -> str:
    head = {"alg": alg, "kid": key.kid, **header}
    payload = json.dumps(_claims() if claims is None else claims).encode()
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jws.serialize_compact(head, payload, key, registry=registry)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> BearerTokens:
    """A check of tokens with a JWKS in a file."""
    path = tmp_path_factory.mktemp("jwks") / "jwks.json"
    keys = [EC.as_dict(private=False), RSA.as_dict(private=False), {"kty": "oct", "k": "AAAA", "kid": "oct"}]
    path.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    jwks = Jwks(jwks_source(f"file:{path}"))
    return BearerTokens(issuer=ISSUER, audience=AUDIENCE, jwks=jwks, now=_now)


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES256"), (RSA, "RS256"), (RSA, "PS256")])
def test_tokens_of_the_issuer_are_taken(tokens: BearerTokens, key: Any, alg: str) -> None:
    """The three algorithms; the claims say who is calling."""
    principal = tokens.check(_token(key, alg))
    assert principal == Principal(id="oauth:front-end-1", role=CallerRole.NCC, party=NCC)


def test_an_audience_may_be_one_of_several(tokens: BearerTokens) -> None:
    """RFC 7519 section 4.1.3."""
    assert tokens.check(_token(claims=_claims(aud=["other", AUDIENCE])))


@pytest.mark.parametrize(
    "header",
    [
        {"x5t": "g5ZleTFZSqkxwQSbQ8eQFqfoxOE"},
        {"x5t#S256": "A" * 43, "typ": "at+jwt"},
        {"cty": "json", "typ": "JWT"},
        {"x5t": "never a key of the JWKS"},
    ],
)
def test_headers_that_only_inform_choose_nothing(tokens: BearerTokens, header: dict[str, Any]) -> None:
    """RFC 7515 sections 4.1.7 to 4.1.10: thumbprints and a content type cost no token, and find no key either."""
    assert tokens.check(_token(**header)).party == NCC
    with pytest.raises(Unauthenticated):
        tokens.check(_token(ECKey.generate_key("P-256", {"kid": "other"}), **header))


def test_the_log_says_why_a_token_is_refused(tokens: BearerTokens, caplog: pytest.LogCaptureFixture) -> None:
    """The caller learns nothing; the operator reads which claim is missing (Keycloak writes no ``nbf``)."""
    with caplog.at_level("INFO"), pytest.raises(Unauthenticated):
        tokens.check(_token(claims=_claims(nbf=None)))
    assert [getattr(record, "code", None) for record in caplog.records] == ["token.nbf"]


def _late() -> int:
    return int(NOW.timestamp()) + 3_600


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"exp": int(NOW.timestamp()) - 31},
        {"exp": None},
        {"exp": "2099"},
        {"exp": True},
        {"nbf": _late()},
        {"nbf": None},
        {"hub_role": "admin"},
        {"hub_role": ["ncc"]},
        {"hub_role": None},
        {"hub_party": "1"},
        {"hub_party": 36521731},
        {"hub_party": None},
        {"sub": None},
        {"sub": "line\nbreak"},
    ],
)
def test_claims_are_all_required(tokens: BearerTokens, claims: dict[str, Any]) -> None:
    """A missing or wrong claim refuses the token, without telling which."""
    with pytest.raises(Unauthenticated, match="not valid"):
        tokens.check(_token(claims=_claims(**claims)))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _forge(header: bytes, signature: bytes = b"x" * 64) -> str:
    return ".".join((_b64(header), _b64(json.dumps(_claims()).encode()), _b64(signature)))


def _hmac_with_public_key() -> str:
    signed = _forge(b'{"alg":"HS256","kid":"ec"}').rpartition(".")[0]
    signature = hmac.digest(EC.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{_b64(signature)}"


FORGERIES: dict[str, Callable[[], str]] = {
    "alg none": lambda: _forge(b'{"alg":"none","kid":"ec"}'),
    "HMAC with the public key": _hmac_with_public_key,
    "jku": lambda: _token(jku="https://evil.example/jwks"),
    "x5u": lambda: _token(x5u="https://evil.example/cert"),
    "jwk": lambda: _token(jwk=EC.as_dict(private=False)),
    "duplicate header key": lambda: _forge(b'{"alg":"ES256","alg":"none","kid":"ec"}'),
    "unknown kid": lambda: _token(ECKey.generate_key("P-256", {"kid": "other"})),
    "kid of another key": lambda: _token(ECKey.generate_key("P-256", {"kid": "ec"})),
    "symmetric key of the JWKS": lambda: _forge(b'{"alg":"HS256","kid":"oct"}'),
    "algorithm of another type": lambda: _forge(b'{"alg":"RS256","kid":"ec"}'),
    "two parts": lambda: ".".join(_token().split(".")[:2]),
    "padding": lambda: _token() + "=",
    "empty": lambda: "..",
    "payload no object": lambda: _token(claims=[]),  # type: ignore[arg-type]
    "other bytes": lambda: _token()[:-4] + "AAAA",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_are_refused(tokens: BearerTokens, name: str) -> None:
    """What an attacker would try with a JWT is refused, each with the same answer."""
    with pytest.raises(Unauthenticated, match="not valid"):
        tokens.check(FORGERIES[name]())


def test_keys_are_read_again_for_an_unknown_kid(tmp_path: Path) -> None:
    """A rotated key is found, but not more often than every 30 seconds."""
    path, clock = tmp_path / "jwks.json", [0.0]
    path.write_text(json.dumps({"keys": []}), encoding="utf-8")
    jwks = Jwks(JwksFile(path), monotonic=lambda: clock[0])
    assert jwks.key("ec") is None
    path.write_text(json.dumps({"keys": [EC.as_dict(private=False)]}), encoding="utf-8")
    assert jwks.key("ec") is None
    clock[0] = 31.0
    assert jwks.key("ec") is not None
    path.unlink()
    clock[0] = 1_000.0
    assert jwks.key("ec") is not None


def test_without_keys_the_hub_says_so(tmp_path: Path) -> None:
    """A JWKS that could never be read is no refusal of the caller."""
    with pytest.raises(Unavailable):
        Jwks(JwksFile(tmp_path / "none.json")).key("ec")
    with pytest.raises(ConfigurationError):
        jwks_source("http://login.example/jwks")


def test_a_token_needs_an_issuer(file: Path) -> None:
    """Without OAuth2 settings only API keys are taken."""
    with pytest.raises(Unauthenticated):
        Authenticator(keys=ApiKeys(file, _now)).check("a.b.c")
