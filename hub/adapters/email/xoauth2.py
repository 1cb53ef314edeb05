"""XOAUTH2, the login by an OAuth2 token that Microsoft and Google speak over IMAP and SMTP."""

from __future__ import annotations

from hub.adapters.email.settings import Server
from hub.errors import ConfigurationError
from hub.net import oauth
from hub.net.deadline import Deadline
from hub.net.http import HttpPolicy

NAME = "XOAUTH2"


def words(server: Server, deadline: Deadline) -> str:
    """First words of the client: user and token. ``TemporaryFailure`` (``oauth.*``) if there is no token now."""
    if server.oauth2 is None or server.user is None:
        raise ConfigurationError("The channel has no oauth2.", code="oauth.none")
    rules = HttpPolicy(allow_private=server.networks())
    token = oauth.access_token(server.oauth2, rules, deadline_secs=deadline.remaining())
    return f"user={server.user}\1auth=Bearer {token.value}\1\1"


def refused(server: Server) -> None:
    """The server did not take the token: another is asked for at the next login."""
    if server.oauth2 is not None:
        oauth.refused(server.oauth2)
