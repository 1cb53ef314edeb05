"""Seals and signatures: JWS, tokens and keys of an issuer, XAdES, WS-Security, CMS."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, RSAKey

from hub.adapters.email import smime
from hub.api.tokens import BearerTokens, Jwks, _object, read_jwks
from hub.ports import RawInbound
from hub.protocols.soap import own
from hub.protocols.soap.security import SoapSigner, X509Guard
from hub.protocols.soap.verifying import Verifier
from hub.protocols.soap.wire import SoapVersion, write_envelope
from hub.schemas import json_rendering, xml_rendering
from hub.schemas.keys import VerificationKey
from hub.sealed import SealedDocument, compact_token, wrap
from hub.seals import HubSeal, compact, jws, make_key_file
from hub.seals.keys import FileKey, verification_key
from hub.testing.samples import appeal, receipt
from tests.fuzz.judging import Target
from tests.fuzz.readers import chosen, vectors

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@cache
def _key() -> FileKey:
    with tempfile.TemporaryDirectory() as folder:
        return make_key_file(Path(folder) / "k.pem", common_name="Хаб", organization="НКЦ", now=NOW)


@cache
def _entry() -> VerificationKey:
    return verification_key(_key())


def _jws(data: bytes) -> None:
    compact.split(data)
    jws.peek_kid(data)
    jws.verify_json(data, _entry(), at=NOW)


def _sealed(data: bytes) -> None:
    kind, rest = chosen(data, ("application/json", "application/jose", "application/xml", "text/xml; charset=x"))
    raw = RawInbound(content_type=kind, body=rest)
    document = SealedDocument(raw)
    document.claimed_sender()
    compact_token(raw)
    document.open(seal=HubSeal(None), keys=[_entry()], at=NOW, seal_required=False)


def _xades(data: bytes) -> None:
    HubSeal(None).verify_xml(data, [_entry()], NOW)


@cache
def _issuer() -> tuple[ECKey, RSAKey]:
    return ECKey.generate_key("P-256", {"kid": "ec"}), RSAKey.generate_key(2048, {"kid": "rsa"})


def _document() -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in _issuer()]}).encode()


class _Static:
    def read(self) -> bytes:
        return _document()


@cache
def _tokens() -> BearerTokens:
    return BearerTokens(issuer="https://i", audience="a", jwks=Jwks(_Static()), now=lambda: NOW)


def _bearer(data: bytes) -> None:
    """Claims without their signature, too: they are read only behind it."""
    part, rest = chosen(data, ("token", "claims"))
    if part == "token":
        _tokens().check(rest.decode("ascii", "replace"))
    else:
        _tokens()._claims(_object(rest))


def _jwks(data: bytes) -> None:
    for key in read_jwks(data).values():
        assert key.key_type in ("RSA", "EC")


@cache
def _signer() -> SoapSigner:
    return SoapSigner(_key()._private, _key().certificate)


def _wsse(data: bytes) -> None:
    Verifier(_key().certificate).verify(data, at=NOW)


def _cms(data: bytes) -> None:
    content, rest = chosen(data, (b"words", None))
    smime.kind_of(rest)
    smime.content_of(rest)
    smime.verify(rest, content, [_entry()], NOW)


def _of_tokens() -> Iterator[bytes]:
    for payload in (b'{"a":1}', json_rendering.to_json(appeal())):
        yield jws.seal_json(payload, _key())
    yield b"eyJhbGciOiJub25lIn0.e30.AA"
    yield from vectors("rfc7520-jose-cookbook", ".json")


def _of_sealed() -> Iterator[bytes]:
    canonical = json_rendering.to_json(receipt(appeal()))
    token = jws.seal_json(canonical, _key())
    yield b"\0" + wrap(canonical, token)
    yield b"\0" + canonical
    yield b"\1" + token
    yield b"\2" + xml_rendering.to_xml(receipt(appeal()))
    yield b"\2" + HubSeal(_key()).seal_xml(xml_rendering.to_xml(receipt(appeal())))


def _of_xades() -> Iterator[bytes]:
    yield HubSeal(_key()).seal_xml(b'<e:a xmlns:e="urn:x"><b>t</b></e:a>')
    yield HubSeal(_key()).seal_xml(xml_rendering.to_xml(appeal()))
    yield from vectors("xml-crypto-static", ".xml")
    yield from vectors("saml-python3-saml", ".xml")


def _claims(**changes: Any) -> bytes:
    now = int(NOW.timestamp())
    claims = {"iss": "https://i", "aud": "a", "exp": now + 600, "nbf": now, "sub": "s", "hub_role": "ncc"}
    return json.dumps({**claims, "hub_party": "36521731", **changes}).encode()


def _of_bearers() -> Iterator[bytes]:
    ec, rsa = _issuer()
    yield b"\0" + joserfc_jws.serialize_compact({"alg": "ES256", "kid": "ec"}, _claims(), ec).encode()
    yield b"\0" + joserfc_jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, _claims(), rsa).encode()
    yield b"\1" + _claims(aud=["a", "b"])
    yield b"\1" + _claims(exp=1e300)


def _of_jwks() -> Iterator[bytes]:
    yield _document()
    yield b'{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}'
    yield b'{"keys":[{"kty":"EC","crv":"P-256","kid":"b","x":"AA","y":"AA"},{"kty":"oct","k":"AAAA","kid":"c"}]}'
    yield from vectors("wycheproof", ".json")
    yield from vectors("rfc7520-jose-cookbook", ".json")


def _of_wsse() -> Iterator[bytes]:
    said = own.element("DeliverEnvelope", own.element("messageId", text="1"))
    yield X509Guard(_signer(), now=lambda: NOW).secure(write_envelope(SoapVersion.V11, said))
    yield from vectors("soap-node-soap", ".xml")


def _of_cms() -> Iterator[bytes]:
    signer = smime.MailSigner(_key()._private, _key().certificate)
    der = smime.sign([b"words"], signer)
    yield b"\0" + der
    yield b"\1" + der
    yield from (b"\1" + each for each in vectors("kep-uapki"))
    yield from (b"\1" + each for each in vectors("kep-dstu-core"))


TARGETS = (
    Target(name="jws", reads=_jws, seeds=_of_tokens),
    Target(name="sealed", reads=_sealed, seeds=_of_sealed),
    Target(name="xades", reads=_xades, seeds=_of_xades, words=(b"<ds:Reference", b'Id="', b"DigestValue")),
    Target(name="bearer-token", reads=_bearer, seeds=_of_bearers),
    Target(
        name="jwks", reads=_jwks, seeds=_of_jwks, words=(b'"kty":"RSA"', b'"kty":"EC"', b'"crv":"P-256"', b'"kid":"')
    ),
    Target(name="wsse", reads=_wsse, seeds=_of_wsse),
    Target(name="cms", reads=_cms, seeds=_of_cms),
)
