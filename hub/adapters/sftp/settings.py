"""Settings of an ``sftp`` channel: closed, units in names, everything checked that needs no network."""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import Annotated, Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.documents.names import words_of
from hub.adapters.sftp.template import SftpTemplate
from hub.errors import ConfigurationError
from hub.net.addresses import IPNetwork, Target, parse_url
from hub.net.secrets import SecretFile, SecretRef
from hub.net.settings import AsTuple, Network
from hub.schemas.base import Code, Frozen

KEY_TYPES: Final = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
"""Types of host keys, and the signature algorithms that are allowed with each (RFC 8332: no SHA-1)."""
MIN_RSA_BITS: Final = 2_048
_NAME = r"[^\W_][^/\\\x00-\x1f\x7f]{0,99}|_[^/\\\x00-\x1f\x7f]{0,99}"
_FOLDER = re.compile(rf"/?(?:{_NAME})(?:/(?:{_NAME})){{0,19}}|/")


def _folder(value: object) -> object:
    """Letters of any alphabet, blanks and signs may stand in a name; it begins with a letter or a digit."""
    if isinstance(value, str) and not (_FOLDER.fullmatch(value) and value.isprintable() and not _blank_edge(value)):
        raise PydanticCustomError(
            "folder",
            "must be a path of names with slashes between them; a name begins with a letter, digit or underscore",
        )
    return value


def _blank_edge(path: str) -> bool:
    return any(name != name.strip() or name.endswith(".") for name in path.split("/"))


def _user(value: object) -> object:
    if isinstance(value, str):
        plain = 0 < len(value) <= 104 and value == value.strip() and value.isprintable()
        begins = value[:1].isalnum() or value[:1] == "_"
        if not plain or not begins or any(sign in value for sign in '/:"<>|?*'):
            raise PydanticCustomError(
                "user", 'must be one line that begins with a letter or digit, without / : " < > | ? *'
            )
    return value


_TEMPORARY = r"[._]?[A-Za-z0-9][A-Za-z0-9._-]{0,30}"


def _host(value: object) -> object:
    if isinstance(value, str):
        try:
            _target(value, 22)
        except ConfigurationError as error:
            raise PydanticCustomError("host", "{rule}", {"rule": error.message}) from None
    return value


def _target(host: str, port: int) -> Target:
    """The host by the same strict grammar as in URLs."""
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", host, re.ASCII):
        raise ConfigurationError("The host must be a DNS name or an address.", code="sftp.host")
    return parse_url(f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/")


def _host_key(value: object) -> object:
    if isinstance(value, str):
        try:
            key = load_ssh_public_key(value.encode("ascii"))
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if value.partition(" ")[0] not in KEY_TYPES or key is None:
            raise PydanticCustomError(
                "host_key", "must be a public key as ssh-keyscan shows it, without the host: ssh-ed25519 AAAA…"
            )
        if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
            raise PydanticCustomError("host_key_short", "an RSA key must have 2,048 bits at least")
    return value


Folder = Annotated[str, BeforeValidator(_folder)]
User = Annotated[str, BeforeValidator(_user)]
HostKey = Annotated[str, BeforeValidator(_host_key)]


class SftpSettings(Frozen):
    """How a channel is reached, and where its folders are. Paths count from where the account arrives.

    ``host_keys``: the server's public keys, any of them may show itself; none is learnt. ``inbox``: theirs, the hub
    lays messages there. ``taken``: where they move what they took, if they do. ``outbox``: theirs, the hub fetches from
    there. ``ready``: how a file there says that it is whole: by a ``marker`` (``NAME.done`` beside a file, ``.done`` in
    a folder), or ``stable``: not written to for ``stable_secs``. ``verify``: what was uploaded is read back (``hash``),
    or its size only is asked for. ``lay``: under a temporary name that is renamed when all is there, or ``direct``, for
    servers that take a file the moment it is written. ``temporary``: how temporary names begin, ``marker``: the name in
    a folder that says it is whole, for servers that deny names with a dot. ``key`` and ``password`` together: the
    server asks for both. ``template``: the section of that dialect.
    """

    dialect: Literal["drop", "asice", "template"] | None = None
    host: Annotated[str, BeforeValidator(_host)]
    port: int = Field(default=22, ge=1, le=65_535)
    user: User
    host_keys: Annotated[tuple[HostKey, ...], AsTuple, Field(min_length=1, max_length=10)]
    key: SecretFile | None = None
    key_password: SecretRef | None = None
    password: SecretRef | None = None
    inbox: Folder
    taken: Folder | None = None
    outbox: Folder | None = None
    ready: Literal["marker", "stable"] = "marker"
    stable_secs: int = Field(default=60, ge=1, le=86_400)
    verify: Literal["hash", "size"] = "hash"
    lay: Literal["rename", "direct"] = "rename"
    temporary: Annotated[str, Code(_TEMPORARY)] = ".tmp-"
    marker: Annotated[str, Code(_TEMPORARY)] = ".done"
    attachments: Literal["carry", "refuse"] = "carry"
    template: SftpTemplate | None = None
    allow_private: Annotated[tuple[Network, ...], AsTuple, Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _together(self) -> SftpSettings:
        if self.key is None and self.password is None:
            raise PydanticCustomError("credential", "key, password or both must be given")
        if self.key_password is not None and self.key is None:
            raise PydanticCustomError("key_password", "key_password belongs to key")
        folders = [folder for folder in (self.inbox, self.taken, self.outbox) if folder is not None]
        if len(set(folders)) != len(folders):
            raise PydanticCustomError("folders", "inbox, taken and outbox must be different folders")
        if self.dialect is not None and (self.template is not None) != (self.dialect == "template"):
            raise PydanticCustomError("template", "the dialect template and its section belong together")
        if self.template is not None and (self.template.answer is not None) != (self.outbox is not None):
            raise PydanticCustomError("answer", "outbox and the template's answer belong together")
        if self.template is not None:
            self._check_names(self.template)
        return self

    def _check_names(self, template: SftpTemplate) -> None:
        """Names as their way of laying down and taking needs them."""
        if self.lay == "direct" and template.files is not None and "message_id" not in words_of(template.files):
            raise PydanticCustomError(
                "files",
                "with lay: direct {message_id} must be in template.files: what is smaller under such a name is taken "
                "for an upload that broke off, and written over",
            )
        if self.taken is not None:
            try:
                template.check_apart(template.name.rpartition("/")[2])
            except PydanticCustomError as error:
                raise PydanticCustomError(
                    "name",
                    "they may keep the last name of template.name alone in taken: {rule}",
                    {"rule": error.message()},
                ) from None

    def target(self) -> Target:
        """Where to connect."""
        return _target(self.host, self.port)

    def networks(self) -> tuple[IPNetwork, ...]:
        """Private networks that may be connected to."""
        return tuple(ipaddress.ip_network(text) for text in self.allow_private)

    def pinned(self) -> frozenset[bytes]:
        """The host keys, as they stand on the wire."""
        return frozenset(base64.b64decode(text.split(" ")[1]) for text in self.host_keys)

    def signature_algorithms(self) -> tuple[str, ...]:
        """Algorithms by which a pinned key may prove itself: the server cannot choose a key that nobody pinned."""
        wanted = {text.partition(" ")[0] for text in self.host_keys}
        return tuple(name for kind, names in KEY_TYPES.items() if kind in wanted for name in names)
