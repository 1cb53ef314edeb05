"""Settings of WS-Security: what both the client that signs and a channel's settings need."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from hub.net.secrets import SecretFile, SecretRef
from hub.net.settings import FilePath
from hub.schemas.base import Frozen, Line


class NoSecurity(Frozen):
    """No security header."""

    type: Literal["none"] = "none"


class UsernameTokenSecurity(Frozen):
    """A UsernameToken (WS-Security UsernameToken Profile 1.1). ``digest``: nonce, time and SHA-1 digest of the
    password, as the profile fixes it; else the password itself, which needs TLS.
    """

    type: Literal["username_token"]
    user: Annotated[str, Line(200)]
    password: SecretRef
    digest: bool = True


class X509Security(Frozen):
    """Body and time stamp signed with our certificate (X.509 Certificate Token Profile), SHA-256 only.

    ``their_cert``: PEM file with the one certificate that answers must be signed with; absent = answers are not signed.
    ``valid_secs``: how long what we sign may be used.
    """

    type: Literal["x509"]
    cert: SecretFile
    key: SecretFile
    their_cert: FilePath | None = None
    valid_secs: int = Field(default=300, ge=10, le=3_600)


Security: TypeAlias = Annotated[NoSecurity | UsernameTokenSecurity | X509Security, Field(discriminator="type")]
