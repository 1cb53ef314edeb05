"""OpenSSH's sshd with internal-sftp on loopback; host keys, configuration and log in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.ports import free_port

USER = pwd.getpwuid(os.getuid()).pw_name
_START_SECS = 120.0
_PRIVSEP = Path("/run/sshd")


def program() -> str | None:
    """Where sshd is; it must be called by its whole path."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def make_key(path: Path) -> str:
    """A key in OpenSSH's form; the public half as text."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(private)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()


class Sshd:
    """A running server. ``host_key``: what a channel pins; ``key_file``: the credential that it lets in."""

    def __init__(self, folder: Path, *options: str) -> None:
        path = program()
        assert path is not None
        if os.getuid() == 0:
            _PRIVSEP.mkdir(mode=0o755, exist_ok=True)
        self.port = free_port()
        self.host_key = make_key(folder / "host_key")
        self.key_file = folder / "user_key"
        (folder / "authorized_keys").write_text(make_key(self.key_file) + "\n")
        config = folder / "sshd_config"
        config.write_text(
            f"""
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey {folder}/host_key
            PidFile none
            AuthorizedKeysFile {folder}/authorized_keys
            StrictModes no
            UsePAM no
            UseDNS no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin prohibit-password
            MaxStartups 100
            Subsystem sftp internal-sftp {" ".join(options)}
            """
        )
        self._log = (folder / "sshd.log").open("wb")
        self._process = subprocess.Popen(
            [path, "-D", "-e", "-f", str(config)], stderr=self._log, stdin=subprocess.DEVNULL
        )
        self._wait(folder)

    def _wait(self, folder: Path) -> None:
        """Until it greets."""
        while self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=_START_SECS) as probe:
                    if probe.recv(4) == b"SSH-":
                        return
            except ConnectionRefusedError:
                continue
        raise AssertionError((folder / "sshd.log").read_text("utf-8", "replace"))

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(_START_SECS)
        self._log.close()
