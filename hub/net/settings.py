"""Settings that every channel over HTTP shares: closed, units in names, values checked early."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hub.errors import ConfigurationError, about
from hub.net.addresses import IPNetwork, parse_url
from hub.net.http import HttpPolicy, check_url
from hub.net.proxy import Proxy
from hub.net.secrets import SecretFile, SecretRef, secret_path
from hub.schemas.base import Code, Frozen


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


AsTuple = BeforeValidator(_tuple)
"""Marks a tuple that YAML brings as a list: strict models would refuse it."""


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise PydanticCustomError("network", "must be a network as 10.1.0.0/16 or fd00::/8") from None
    if network.prefixlen == 0:
        raise PydanticCustomError("network_all", "must not be the whole internet")
    return str(network)


def _file(value: object) -> object:
    if isinstance(value, str) and (not value.startswith("/") or "\x00" in value):
        raise PydanticCustomError("path_absolute", "must be an absolute path")
    return value


def url_rule(fill: Callable[[str], str] = str, places: str | None = None) -> BeforeValidator:
    """A validator for URLs; ``fill`` puts sample values into a template first. ``places``: words about what may stand
    in braces, where that is not what the hub says of all others. Refusals do not repeat the URL.
    """

    def check(value: object) -> object:
        if isinstance(value, str):
            filled = fill(value)
            if places is not None and ("{" in filled or "}" in filled):
                rule = f"The URL has {{…}} that nothing is filled in for: {places}."
                raise PydanticCustomError("url", "{rule}", {"rule": rule})
            try:
                parse_url(filled)
            except ConfigurationError as error:
                raise PydanticCustomError("url", "{rule}", {"rule": error.message}) from None
        return value

    return BeforeValidator(check)


Url: TypeAlias = Annotated[str, url_rule()]
Network: TypeAlias = Annotated[str, BeforeValidator(_network)]
FILE_MARK = BeforeValidator(_file)
"""Marks a text that names a file of this machine, for whoever goes through settings."""
FilePath: TypeAlias = Annotated[str, FILE_MARK]


class ClientCertificate(Frozen):
    """Certificate and key that we show (mTLS); PEM files closed to other users, the key without a password."""

    cert: SecretFile
    key: SecretFile


class NoAuth(Frozen):
    """Nobody is asked who calls."""

    type: Literal["none"] = "none"


class BearerAuth(Frozen):
    """``Authorization: Bearer <token>`` (RFC 6750)."""

    type: Literal["bearer"]
    token: SecretRef


class BasicAuth(Frozen):
    """``Authorization: Basic …`` (RFC 7617), UTF-8. ``user`` is no secret."""

    type: Literal["basic"]
    user: Annotated[str, Code(r"[^:\x00-\x1f\x7f]{1,200}")]
    password: SecretRef


class DigestAuth(Frozen):
    """``Authorization: Digest …`` (RFC 7616): the password is proved, never shown. ``user`` is no secret."""

    type: Literal["digest"]
    user: Annotated[str, Code(r"[^:\x00-\x1f\x7f]{1,200}")]
    password: SecretRef


class ApiKeyAuth(Frozen):
    """A key in a header of the authority's choice, or (``in: query``) in the query of each URL under ``name``."""

    type: Literal["api_key"]
    place: Literal["header", "query"] = Field(default="header", alias="in")
    header: Annotated[str, Code(r"[A-Za-z][A-Za-z0-9-]{0,63}")] = "X-Api-Key"
    name: Annotated[str, Code(r"[A-Za-z0-9._~-]{1,64}")] | None = None
    key: SecretRef

    @model_validator(mode="after")
    def _one_place(self) -> ApiKeyAuth:
        if (self.place == "query") != (self.name is not None):
            raise PydanticCustomError("place", "in: query and name belong together; a header is named by header")
        if self.place == "query" and "header" in self.model_fields_set:
            raise PydanticCustomError("place", "header goes with in: header")
        return self


class HmacAuth(Frozen):
    """Signature after the Standard Webhooks specification: HMAC-SHA256 over ``id.timestamp.body``.

    The secret is ``whsec_`` and Base64 of 24 to 64 bytes, or any other text, whose UTF-8 bytes are the key.
    """

    type: Literal["hmac"]
    secret: SecretRef


class MtlsAuth(Frozen):
    """The client certificate says who we are; ``client_cert`` must be given."""

    type: Literal["mtls"]


Visible: TypeAlias = Annotated[str, Code(r"[\x21-\x7e]{1,200}")]
"""Visible ASCII without blanks, as issuers of tokens name things."""


class OAuth2Client(Frozen):
    """Issuer of the hub's token, and whom the hub is to it. ``scope``: as the issuer names it, absent = its default;
    ``audience`` (or ``resource``, RFC 8707): whom the token is for, where the issuer asks for that.

    The hub proves itself by ``client_secret``, in the form or by HTTP Basic (``client_auth``, RFC 6749 section 2.3.1),
    or by an assertion signed with ``private_key``, which the issuer knows by ``key_id`` or ``certificate`` (RFC 7523
    section 2.2). ``subject``: the account in whose name the hub asks; the signed assertion is then the grant (section
    2.1). ``ca_file``: trust exactly these certificates of the issuer's; absent = those of the channel.
    """

    token_url: Url
    client_id: Visible
    client_secret: SecretRef | None = None
    client_auth: Literal["form", "basic"] = "form"
    private_key: SecretFile | None = None
    key_id: Visible | None = None
    certificate: FilePath | None = None
    subject: Visible | None = None
    scope: Annotated[str, Code(r"[\x20-\x7e]{1,500}")] | None = None
    audience: Annotated[str, Code(r"[\x21-\x7e]{1,500}")] | None = None
    resource: Annotated[str, Code(r"[\x21-\x7e]{1,500}")] | None = None
    ca_file: FilePath | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> OAuth2Client:
        if (self.client_secret is None) == (self.private_key is None):
            raise PydanticCustomError("proof", "client_secret or private_key, one of them")
        if self.private_key is None and (self.key_id or self.certificate or self.subject):
            raise PydanticCustomError("proof", "key_id, certificate and subject go with private_key")
        if self.client_secret is None and self.client_auth == "basic":
            raise PydanticCustomError("proof", "client_auth: basic goes with client_secret")
        return self


class OAuth2Auth(OAuth2Client):
    """``Authorization: Bearer <token>`` with a token that the hub asks an issuer for and renews (RFC 6749)."""

    type: Literal["oauth2"]


Auth: TypeAlias = Annotated[
    NoAuth | BearerAuth | BasicAuth | DigestAuth | ApiKeyAuth | HmacAuth | MtlsAuth | OAuth2Auth,
    Field(discriminator="type"),
]


def _proxy_url(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"http://[^/?]+:[0-9]{1,5}", value):
        raise PydanticCustomError("proxy_url", "must be http://host:port")
    return value


class ProxySettings(Frozen):
    """A proxy (HTTP CONNECT) that a channel's connections go through. ``url``: ``http://host:port``; its address is
    checked like any other, so one inside is named in ``allow_private``.

    ``resolves``: who looks names up. ``hub``: we do, check the addresses, and name an address to the proxy; ``proxy``:
    the proxy is given the name, and no address is checked but one that the channel's URL writes itself.
    ``user`` and ``password``: Basic; absent = the proxy asks for nothing.
    """

    url: Annotated[str, url_rule(), BeforeValidator(_proxy_url)]
    resolves: Literal["hub", "proxy"] = "hub"
    user: Annotated[str, Code(r"[^:\x00-\x1f\x7f]{1,200}")] | None = None
    password: SecretRef | None = None

    @model_validator(mode="after")
    def _both(self) -> ProxySettings:
        if (self.user is None) != (self.password is None):
            raise PydanticCustomError("proxy_login", "user and password are given together or not at all")
        return self

    def proxy(self) -> Proxy:
        """The proxy as the clients want it."""
        return Proxy(target=parse_url(self.url), resolves=self.resolves, user=self.user, password=self.password)


class HttpSettings(Frozen):
    """How a channel may be called.

    ``allow_http``: URLs without TLS. ``allow_private``: networks of private addresses that may be connected to.
    ``ports``: empty = any. ``ca_file``: trust exactly these certificates. ``max_response_kb``: KiB, decompressed.
    ``proxy``: absent = directly, whatever the environment says.
    """

    auth: Auth = NoAuth()
    allow_http: bool = False
    allow_private: Annotated[tuple[Network, ...], AsTuple, Field(max_length=20)] = ()
    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65_535)], ...], AsTuple, Field(max_length=20)] = ()
    ca_file: FilePath | None = None
    crl_file: FilePath | None = None
    client_cert: ClientCertificate | None = None
    max_response_kb: int = Field(default=256, ge=1, le=16_384)
    proxy: ProxySettings | None = None

    @model_validator(mode="after")
    def _issuer(self) -> HttpSettings:
        if isinstance(self.auth, OAuth2Auth):
            try:
                check_url(self.auth.token_url, self.bare_policy())
            except ConfigurationError as error:
                raise PydanticCustomError("url", "auth.token_url: {rule}", {"rule": error.message}) from None
        return self

    def bare_policy(self) -> HttpPolicy:
        """The policy without certificates: enough to check URLs; touches no file."""
        return self._bare

    @cached_property
    def _bare(self) -> HttpPolicy:
        networks: list[IPNetwork] = [ipaddress.ip_network(text) for text in self.allow_private]
        return HttpPolicy(
            allow_http=self.allow_http,
            allow_private=tuple(networks),
            ports=self.ports,
            ca_file=Path(self.ca_file) if self.ca_file else None,
            crl_file=Path(self.crl_file) if self.crl_file else None,
            max_response_bytes=self.max_response_kb * 1024,
            proxy=self.proxy.proxy() if self.proxy is not None else None,
        )

    def policy(self) -> HttpPolicy:
        """The policy for calls. ``ConfigurationError`` if the client certificate's files are missing or open."""
        bare = self.bare_policy()
        if self.client_cert is None:
            return bare
        with about("client_cert/cert"):
            cert = secret_path(self.client_cert.cert)
        with about("client_cert/key"):
            key = secret_path(self.client_cert.key)
        return replace(bare, cert_file=cert, key_file=key)
