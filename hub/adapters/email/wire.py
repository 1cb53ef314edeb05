"""Connections to mail servers: to checked addresses only, TLS where it was asked for, a total deadline on everything.

TLS is never given up: a server that does not offer what the channel asks for gets nothing (no silent downgrade).
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from hub.adapters.email.settings import Server
from hub.errors import ConfigurationError, DeliveryError, PermanentFailure, TemporaryFailure, about
from hub.net.addresses import Target, parse_url
from hub.net.deadline import Deadline, Dialer, bounded, system_resolver
from hub.net.tls_faults import certificate_fault, handshake_fault

ANSWER_BYTES: Final = 262_144
"""What a server may say in one exchange that carries no mail."""


_STARTTLS_PORTS: Final = {"smtp": " (often port 587)", "imap": " (often port 143)"}


def tls_context(server: Server) -> ssl.SSLContext:
    """TLS 1.2 at least, the certificate checked against the host's name. ``ConfigurationError`` if ca_file is bad."""
    try:
        context = bounded(ssl.create_default_context(cafile=server.ca_file))
    except (OSError, ssl.SSLError):
        raise ConfigurationError(
            f"{server.ca_file} cannot be used: there are no certificates in it that can be read.",
            code="tls.files",
            action="Name a PEM file that the hub's user may read: text that begins with -----BEGIN CERTIFICATE.",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def connect(server: Server, deadline: Deadline, family: str) -> socket.socket:
    """A connected socket under the deadline. ``family``: prefix of the codes, ``smtp`` or ``imap``.

    Raises ``TemporaryFailure`` (nothing went out) or ``PermanentFailure`` (an address that is not allowed).
    """
    dialer = Dialer(deadline=deadline, allow_private=server.networks(), resolver=system_resolver)
    try:
        return dialer.connect(_target(server))
    except DeliveryError as failure:
        code = failure.stable_code.replace("http.", f"{family}.", 1)
        kind = PermanentFailure if isinstance(failure, PermanentFailure) else TemporaryFailure
        raise kind(failure.message, code=code, action=failure.next_step, remedy=failure.at_hand) from None


def _target(server: Server) -> Target:
    return parse_url(f"https://{server.host}:{server.port}/")


def where(server: Server) -> str:
    """Host and port, for people."""
    return _target(server).where


def secure(sock: socket.socket, server: Server, deadline: Deadline, family: str) -> socket.socket:
    """The socket under TLS. ``TemporaryFailure`` (``<family>.tls``): nothing went out but the handshake."""
    with about("ca_file"):
        context = tls_context(server)
    try:
        sock.settimeout(deadline.remaining())
        wrapped = context.wrap_socket(sock, server_hostname=server.host.strip("[]"))
    except ssl.SSLCertVerificationError as error:
        sock.close()
        raise certificate_fault(error, server.host, where(server), f"{family}.certificate") from None
    except OSError as error:
        sock.close()
        plain = f"Look at the port; where they offer STARTTLS: security: starttls{_STARTTLS_PORTS[family]}."
        raise handshake_fault(error, where(server), f"{family}.tls", plain=plain) from None
    wrapped.deadline = deadline  # type: ignore[attr-defined]
    return wrapped
