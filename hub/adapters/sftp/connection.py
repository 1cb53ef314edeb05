"""One SSH connection with SFTP over it: checked addresses, pinned host key, a total deadline, a limit on bytes read.

Paramiko's ``Transport`` is used, never its ``SSHClient``: so there is no known_hosts, no agent, no configuration of
the user's, and no key is learnt. Its thread reads and writes through ``Wire``, which ends it when the deadline comes.

    PeerChanged        sftp.host_key                      another key than those of the channel: nothing was said
    PermanentFailure   sftp.address_refused               nothing went out
    ConfigurationError sftp.key                           the private key cannot be used
    TemporaryFailure   sftp.dns, sftp.connect,
                       sftp.connect_timeout, sftp.ssh,
                       sftp.auth_refused, sftp.deadline,
                       sftp.broken, sftp.refused          no message was laid down by this
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import logging
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from hub.adapters.sftp.settings import SftpSettings
from hub.errors import ConfigurationError, DeliveryError, PeerChanged, PermanentFailure, TemporaryFailure, about
from hub.net.deadline import Deadline, Dialer, Resolver, system_resolver
from hub.net.secrets import resolve, secret_path
from hub.protocols.sftp import ProtocolError, Sftp, StatusError

BYTES_PER_CALL: Final = 8 * 1024 * 1024
"""What a server may say in one call beyond the content that is read from it on purpose."""
BROKEN: Final = (paramiko.SSHException, ProtocolError, EOFError, OSError)
"""Faults of a connection."""
_MAX_KEY_BYTES: Final = 65_536
_RECV_BYTES: Final = 65_536
_REFUSED_ALGORITHMS: Final = {
    "ciphers": ("3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"),
    "macs": ("hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"),
}
_KEY_CLASSES: Final = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_JOIN_SECS: Final = 5.0
_METHODS: Final = ("publickey", "password", "keyboard-interactive", "hostbased", "gssapi-with-mic")
_LOOK_AT_PORT: Final = "Look at host and port: is it an SSH server with SFTP? Else ask those who keep it."
_LOG: Final = "hub.adapters.sftp.wire"
logging.getLogger(_LOG).disabled = True  # names of hosts and tracebacks of paramiko; what matters is in the outcome


class DeadlineError(OSError):
    """The call's deadline has passed."""


class TooManyBytesError(OSError):
    """The server sent more than one call may bring."""


class Wire:
    """The socket that paramiko's thread uses. It gives up at the deadline, and at the limit of bytes read."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._until: float | None = None
        self._budget = 0
        self.failure: OSError | None = None

    def start(self, until: float, budget: int = BYTES_PER_CALL) -> None:
        """Begin a call that ends at ``until`` (monotonic)."""
        self._until, self._budget = until, budget

    def rest(self) -> None:
        """No call is under way: an idle connection has no deadline."""
        self._until = None

    def allow(self, count: int) -> None:
        """So many bytes more may come."""
        self._budget += count + count // 8

    def _check(self) -> None:
        if self._until is not None and time.monotonic() >= self._until:
            self.failure = DeadlineError(errno.ETIMEDOUT, "the deadline has passed")
        if self._budget < 0:
            self.failure = TooManyBytesError(errno.EMSGSIZE, "more bytes came than one call may bring")
        if self.failure is not None:
            raise self.failure

    def recv(self, count: int) -> bytes:
        """Some bytes. However many paramiko asks for (the server names the number), little is made room for."""
        self._check()
        data = self._sock.recv(min(count, _RECV_BYTES))
        self._budget -= len(data)
        return data

    def send(self, data: bytes) -> int:
        """Send some."""
        self._check()
        return self._sock.send(data)

    def settimeout(self, secs: float | None) -> None:
        """Paramiko's own rhythm (a tenth of a second), in which the deadline is looked at."""
        self._sock.settimeout(secs)

    @property
    def _closed(self) -> bool:
        """Asked for by paramiko."""
        return self._sock.fileno() < 0

    def close(self) -> None:
        """Close the socket."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class SftpConnection:
    """An open connection. Used by one thread."""

    def __init__(self, settings: SftpSettings, until: float, resolver: Resolver = system_resolver) -> None:
        """Connect, check the host key, log in, begin SFTP. Errors: see the module."""
        credentials = _credentials(settings)
        self.wire = Wire(_connect(settings, until, resolver))
        self.wire.start(until)
        # Both are typed for real sockets; paramiko asks for no more than Wire has.
        self._transport = paramiko.Transport(cast(socket.socket, self.wire), disabled_algorithms=_REFUSED_ALGORITHMS)
        self._transport.set_log_channel(_LOG)
        try:
            self._shake_hands(settings)
            with self.talking():
                self._log_in(settings.user, credentials)
                channel = self._transport.open_session(timeout=_left(until))
                channel.invoke_subsystem("sftp")
                self.sftp = Sftp(channel)
        except BaseException:
            self.close()
            raise

    def _shake_hands(self, settings: SftpSettings) -> None:
        self._transport.get_security_options().key_types = settings.signature_algorithms()
        try:
            self._transport.start_client(timeout=None)
        except paramiko.ssh_exception.IncompatiblePeer as error:
            if "host key" in str(error):
                raise _changed(settings, "it has no key of a pinned type") from None
            raise TemporaryFailure(
                "The server knows none of the algorithms that are safe.",
                code="sftp.ssh",
                action="The authority must renew its SSH server.",
            ) from None
        except (paramiko.SSHException, EOFError, OSError, ValueError, LookupError, struct.error) as error:
            if "banner" in str(error) and self.wire.failure is None:
                raise _no_ssh(settings) from None
            raise self._failure(error) from None  # whatever stopped paramiko's thread over bytes that are no SSH
        shown = self._transport.get_remote_server_key().asbytes()
        if shown not in settings.pinned():
            print_ = b64encode(hashlib.sha256(shown).digest()).rstrip(b"=").decode()
            raise _changed(settings, f"it shows SHA256:{print_}")

    def _log_in(self, user: str, credentials: Sequence[paramiko.PKey | str]) -> None:
        """Show key and password, as far as there are; a server that asks for the password by a question gets it so."""
        offered: Sequence[str] = ()
        more: Sequence[str] = ("none yet",)
        for credential in credentials:
            try:
                more = self._show(user, credential)
            except paramiko.BadAuthenticationType as error:
                offered = more = error.allowed_types
            except paramiko.AuthenticationException:
                if not self.alive:  # paramiko calls a connection that broke meanwhile a refusal too
                    raise EOFError from None
                more = ("other",)
            if not more:
                return
        raise _no_entry(offered or [each for each in more if each != "other"], credentials)

    def _show(self, user: str, credential: paramiko.PKey | str) -> Sequence[str]:
        """Show one; methods that the server wants besides."""
        if not isinstance(credential, str):
            return self._transport.auth_publickey(user, credential)
        try:
            return self._transport.auth_password(user, credential, fallback=False)
        except paramiko.BadAuthenticationType as error:
            if "keyboard-interactive" not in error.allowed_types:
                raise
            return self._transport.auth_interactive(user, _answers(credential))

    @contextlib.contextmanager
    def talking(self) -> Iterator[None]:
        """Turn a connection error in this block into a ``TemporaryFailure``; the connection is of no use after it.

        ``StatusError`` passes through: the server's no to one request breaks nothing.
        """
        try:
            yield
        except BROKEN as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> TemporaryFailure:
        reason = self.wire.failure or error
        self.close()
        if isinstance(reason, DeadlineError):
            return TemporaryFailure("The call did not end by its deadline.", code="sftp.deadline")
        if isinstance(reason, TooManyBytesError | ProtocolError):
            return TemporaryFailure(f"The server does not keep to SFTP: {reason.args[-1]}.", code="sftp.protocol")
        return TemporaryFailure(
            f"The connection broke ({type(reason).__name__}).", code="sftp.broken", remedy=_LOOK_AT_PORT
        )

    @property
    def alive(self) -> bool:
        """True if it can still be used."""
        return self._transport.is_active() and self.wire.failure is None

    def close(self) -> None:
        """Close it. The socket first: paramiko's thread then ends at once."""
        self.wire.close()
        self._transport.close()
        if self._transport.is_alive():
            self._transport.join(_JOIN_SECS)


def _answers(password: str) -> Callable[[str, str, list[tuple[str, bool]]], list[str]]:
    """Answer a single question whose answer is not shown with the password; nothing to anything else."""

    def answer(_title: str, _words: str, questions: list[tuple[str, bool]]) -> list[str]:
        if len(questions) == 1 and not questions[0][1]:
            return [password]
        return ["" for _ in questions]

    return answer


def _no_entry(offered: Sequence[str], credentials: Sequence[paramiko.PKey | str]) -> TemporaryFailure:
    shown = " and ".join("password" if isinstance(each, str) else "key" for each in credentials)
    known = [method for method in offered if method in _METHODS]
    wanted = f" It asks for: {', '.join(known)}." if known else ""
    return TemporaryFailure(
        f"The server refuses the channel's user with this {shown}.{wanted}",
        code="sftp.auth_refused",
        action="Renew the credential; give key and password if it asks for both; ask the authority to let it in.",
        setting="user",
    )


def refused(error: StatusError, what: str, code: str = "sftp.refused") -> TemporaryFailure:
    """The server's no, for an operator. What is wrong there is not wrong with the message: it waits."""
    return TemporaryFailure(
        f"The server did not {what}: {error}.",
        code=code,
        remedy="Mend the folder in the channel (as the hub's user sees it there), or have it made and opened to that "
        "user.",
    )


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.001)


@about("host")
def _connect(settings: SftpSettings, until: float, resolver: Resolver) -> socket.socket:
    deadline = Deadline()
    deadline.start(_left(until), 0)
    dialer = Dialer(deadline=deadline, allow_private=settings.networks(), resolver=resolver)
    try:
        sock = dialer.connect(settings.target())
    except DeliveryError as error:
        code = error.stable_code.replace("http.", "sftp.")
        kind = PermanentFailure if isinstance(error, PermanentFailure) else TemporaryFailure
        raise kind(error.message, code=code, action=error.next_step, remedy=error.at_hand) from None
    return socket.socket(fileno=sock.detach())  # off the deadline of HTTP calls: Wire has its own


def _credentials(settings: SftpSettings) -> tuple[paramiko.PKey | str, ...]:
    """The private key and the password, those that there are. ``ConfigurationError`` names the reference, never what is
    in it.
    """
    found: list[paramiko.PKey | str] = []
    if settings.key is not None:
        found.append(_key(settings))
    if settings.password is not None:
        with about("password"):
            found.append(resolve(settings.password).reveal())
    return tuple(found)


def _key(settings: SftpSettings) -> paramiko.PKey:
    assert settings.key is not None
    with about("key_password"):
        password = resolve(settings.key_password).reveal() if settings.key_password else None
    with about("key"):
        return _private_key(settings.key, password)


def _private_key(reference: str, password: str | None) -> paramiko.PKey:
    path = secret_path(reference)
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(_MAX_KEY_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The secret {reference} cannot be read: {type(error).__name__}.",
            action="Name the file of a private key that the hub's user may read.",
        ) from None
    for key_class in _KEY_CLASSES:
        with contextlib.suppress(paramiko.SSHException, ValueError, UnsupportedAlgorithm, IndexError):
            return key_class.from_private_key(io.StringIO(text), password=password)
    raise ConfigurationError(
        f"The secret {reference} is no private key that can be used, or its password is wrong.",
        code="sftp.key",
        action="Make one with ssh-keygen -t ed25519; give key_password if it has a password.",
    )


def _no_ssh(settings: SftpSettings) -> TemporaryFailure:
    return TemporaryFailure(
        f"{settings.target().where} does not greet as an SSH server.",
        code="sftp.broken",
        remedy=_LOOK_AT_PORT,
        setting="port",
    )


def _changed(settings: SftpSettings, shown: str) -> PeerChanged:
    return PeerChanged(
        f"The server {settings.host} is not the one of the channel: {shown}.",
        code="sftp.host_key",
        action="Ask the authority by another way whether its key changed; if so put the new one into host_keys, "
        "then resume the lane.",
        remedy="Ask the authority by another way which key its server has; put that one into host_keys.",
        setting="host_keys",
    )
