"""Connections to mail servers: to checked addresses only, TLS where it was asked for, a total deadline on everything.

TLS is never given up: a server that does not offer what the channel asks for gets nothing (no silent downgrade).
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from hub.adapters.email.settings import Server
from hub.errors import ConfigurationError, DeliveryError, PermanentFailure, TemporaryFailure
from hub.net.addresses import parse_url
from hub.net.deadline import Deadline, Dialer, bounded, system_resolver

ANSWER_BYTES: Final = 262_144
"""What a server may say in one exchange that carries no mail."""


def tls_context(server: Server) -> ssl.SSLContext:
    """TLS 1.2 at least, the certificate checked against the host's name. ``ConfigurationError`` if ca_file is bad."""
    try:
        context = bounded(ssl.create_default_context(cafile=server.ca_file))
    except (OSError, ssl.SSLError):
        raise ConfigurationError("The file ca_file holds no certificates that can be read.", code="tls.files") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def connect(server: Server, deadline: Deadline, family: str) -> socket.socket:
    """A connected socket under the deadline. ``family``: prefix of the codes, ``smtp`` or ``imap``.

    Raises ``TemporaryFailure`` (nothing went out) or ``PermanentFailure`` (an address that is not allowed).
    """
    dialer = Dialer(deadline=deadline, allow_private=server.networks(), resolver=system_resolver)
    try:
        return dialer.connect(parse_url(f"https://{server.host}:{server.port}/"))
    except DeliveryError as failure:
        code = failure.stable_code.replace("http.", f"{family}.", 1)
        kind = PermanentFailure if isinstance(failure, PermanentFailure) else TemporaryFailure
        raise kind(failure.message, code=code, action=failure.next_step) from None


def secure(sock: socket.socket, server: Server, deadline: Deadline, family: str) -> socket.socket:
    """The socket under TLS. ``TemporaryFailure`` (``<family>.tls``): nothing went out but the handshake."""
    context = tls_context(server)
    try:
        sock.settimeout(deadline.remaining())
        wrapped = context.wrap_socket(sock, server_hostname=server.host.strip("[]"))
    except ssl.SSLCertVerificationError as error:
        sock.close()
        raise TemporaryFailure(
            f"The server's certificate does not hold: {error.verify_message}.",
            code=f"{family}.certificate",
            action="Mend the certificate on their side, or the channel's ca_file and host on ours.",
        ) from None
    except OSError as error:
        sock.close()
        raise TemporaryFailure(f"No TLS connection: {type(error).__name__}.", code=f"{family}.tls") from None
    wrapped.deadline = deadline  # type: ignore[attr-defined]
    return wrapped
