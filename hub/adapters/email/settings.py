"""Settings of a channel of the adapter ``email``: closed, units in names, checked without a network.

One model for all dialects: ``envelope`` and ``template`` have ``smtp`` and ``to``, ``mailbox`` has ``imap`` or
``pickup``.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.email.template import EmailTemplate
from hub.adapters.email.tokens import TOKEN_CHARS
from hub.net.addresses import IPNetwork, parse_url
from hub.net.secrets import SecretFile, SecretRef
from hub.net.settings import AsTuple, FilePath, Network, OAuth2Client, url_rule
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.people import Email

MAX_LOCAL_PART = 64  # RFC 5321 section 4.5.3.1.1

Host = Annotated[str, Code(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]"), url_rule(lambda host: f"https://{host}/")]
"""A DNS name or an address, IPv6 in brackets."""


class Server(Frozen):
    """A mail server. ``security``: ``tls`` from the first byte, ``starttls`` before anything else, or ``none`` for a
    server on a network of our own (a login is then refused). ``oauth2`` instead of a password: XOAUTH2 with a token of
    the client credentials grant, as Microsoft 365 wants it. ``allow_private``: private networks it may be in.
    """

    host: Host
    port: int = Field(ge=1, le=65_535)
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: Annotated[str, Code(r"[^\x00-\x1f\x7f]{1,200}")] | None = None
    password: SecretRef | None = None
    oauth2: OAuth2Client | None = None
    ca_file: FilePath | None = None
    allow_private: Annotated[tuple[Network, ...], AsTuple, Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _login(self) -> Server:
        if self.password is not None and self.oauth2 is not None:
            raise PydanticCustomError("login", "password or oauth2, not both")
        if (self.user is None) != (self.password is None and self.oauth2 is None):
            raise PydanticCustomError("login", "user and password (or oauth2) belong together")
        if self.user is not None and self.security == "none":
            raise PydanticCustomError("login_in_clear", "a password never goes out without TLS")
        parse_url(f"https://{self.host}:{self.port}/")
        return self

    def networks(self) -> tuple[IPNetwork, ...]:
        """``allow_private`` as networks."""
        return tuple(ipaddress.ip_network(text) for text in self.allow_private)


class SmtpServer(Server):
    """Where mail is handed over; ``helo``: what we call ourselves, absent = the domain of ``address``.

    ``relay``: whether it passes the mail on to the addressee's server, so that its word shows ``sent`` only.
    """

    port: int = Field(default=587, ge=1, le=65_535)
    relay: bool = True
    helo: Annotated[str, Code(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")] | None = None


class ImapServer(Server):
    """Where the hub's mailbox is. ``folder`` is read; what was taken goes to ``done``, what was not to ``refused``."""

    port: int = Field(default=993, ge=1, le=65_535)
    security: Literal["tls", "starttls", "none"] = "tls"
    folder: Annotated[str, Code(r"[A-Za-z0-9._/-]{1,100}")] = "INBOX"
    done: Annotated[str, Code(r"[A-Za-z0-9._/-]{1,100}")] = "Done"
    refused: Annotated[str, Code(r"[A-Za-z0-9._/-]{1,100}")] = "Refused"


class Signing(Frozen):
    """Certificate and key of our S/MIME signature, PEM; the key (P-256 or RSA) without a password."""

    cert: FilePath
    key: SecretFile


class EmailSettings(Frozen):
    """Settings of a channel of the adapter ``email``; docs/adapters/email.md explains each."""

    address: Email
    reply_key: SecretRef
    old_reply_keys: Annotated[tuple[SecretRef, ...], AsTuple, Field(max_length=5)] = ()
    name: Annotated[str, Line(100)] | None = None
    smtp: SmtpServer | None = None
    to: Annotated[tuple[Email, ...], AsTuple, Field(max_length=5)] = ()
    content: Literal["full", "notice"] | None = None
    attachments: Literal["inside", "link", "refuse"] = "inside"
    max_mail_mb: int = Field(default=20, ge=1, le=150)
    smime: Signing | None = None
    encrypt_to: FilePath | None = None
    dsn: bool = True
    mdn: bool = True
    imap: ImapServer | None = None
    pickup: FilePath | None = None
    max_received_mb: int = Field(default=40, ge=1, le=150)
    plain_answer: Literal["interim", "final"] = "interim"
    template: EmailTemplate | None = None

    @model_validator(mode="after")
    def _one_way(self) -> EmailSettings:
        ways = [each for each in (self.smtp, self.imap, self.pickup) if each is not None]
        if len(ways) != 1:
            raise PydanticCustomError("way", "exactly one of smtp, imap and pickup must be given")
        if self.smtp is not None and (not self.to or self.content is None):
            raise PydanticCustomError("outgoing", "with smtp, to and content (full or notice) must be given")
        if self.encrypt_to is not None and self.content == "notice":
            raise PydanticCustomError("notice_encrypted", "a notice holds nothing to encrypt")
        if self.template is not None and (self.content != "full" or self.attachments == "link"):
            raise PydanticCustomError("template", "a template's mail is content: full, attachments: inside or refuse")
        if len(self.address.partition("@")[0]) + 1 + TOKEN_CHARS > MAX_LOCAL_PART:
            raise PydanticCustomError("address_long", "the part before @ must leave room for +token: 21 characters")
        return self

    @property
    def domain(self) -> str:
        """The domain of our address."""
        return self.address.partition("@")[2]

    def reply_to(self, token: str) -> str:
        """The address that a reply to one message goes to (subaddress, RFC 5233)."""
        local, _, domain = self.address.partition("@")
        return f"{local}+{token}@{domain}"
