"""Real Postfix and Dovecot, started on loopback ports with queues, boxes and logs in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.adapters.certificates import TestAuthority
from tests.ports import free_port

QUEUES = ("maildrop", "incoming", "active", "deferred")
"""Folders in which Postfix keeps a mail until it is delivered and reported."""
HUB_DOMAIN, BODY_DOMAIN = "hub.example.org", "gromada.example.org"
USER, PASSWORD = "hub", "correct-horse-battery-staple"
_START_SECS = 120.0
"""A hang's end, not a measure: the machine may be busy."""

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
recipient_delimiter = +
virtual_mailbox_domains = {hub}, {body}
virtual_mailbox_base = {folder}/boxes
virtual_mailbox_maps = inline:{{ {{zvernennia@{hub} = hub/}} {{rada@{body} = rada/}} {{gone@{body} = gone/}} }}
transport_maps = inline:{{ {{gone@{body} = smtp:[127.0.0.1]:{next_hop}}} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
    reject_unauth_destination, reject_unlisted_recipient, check_policy_service inet:127.0.0.1:{policy}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {pem}
smtpd_tls_key_file = {pem}
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/auth
message_size_limit = 30000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_client_connection_rate_limit = 0
"""

DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{pem}
ssl_key = <{pem}
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login
mail_location = maildir:{folder}/boxes/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/boxes/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass
class Greylist:
    """A policy service (Postfix SMTPD_POLICY_README): the first try of a wanted sender is put off."""

    wanted: set[str] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)
    port: int = 0

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = listener.accept()
                threading.Thread(target=self._talk, args=(conn,), daemon=True).start()

    def _talk(self, conn: socket.socket) -> None:
        with contextlib.suppress(OSError), conn, conn.makefile("rwb") as file:
            asked: dict[str, str] = {}
            for line in file:
                name, _, value = line.decode("latin-1").strip().partition("=")
                asked[name] = value
                if line.strip():
                    continue
                file.write(f"action={self._action(asked)}\n\n".encode())
                file.flush()
                asked = {}

    def _action(self, asked: dict[str, str]) -> str:
        sender = asked.get("sender", "")
        if sender in self.wanted:
            self.seen[sender] += 1
            if self.seen[sender] == 1:
                return "DEFER_IF_PERMIT Greylisted, try again in 7 seconds"
        return "DUNNO"


@dataclass(frozen=True, kw_only=True)
class MailHost:
    """A mail host: SMTP for two domains, IMAP for their boxes. ``pem``: certificate and key; ``ca``: who issued it."""

    folder: Path
    smtp: int
    imap: int
    imaps: int
    ca: Path
    greylist: Greylist

    def box(self, name: str) -> list[Path]:
        """Mails in a box, new and seen, oldest first."""
        folder = self.folder / "boxes" / name
        return sorted((p for sub in ("new", "cur") for p in (folder / sub).glob("*")), key=lambda p: p.stat().st_mtime)

    def wait(self, name: str, count: int) -> list[bytes]:
        """The mails of a box once there are so many."""
        until = time.monotonic() + _START_SECS
        while len(found := self.box(name)) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} mails in {name}:\n{self.log()}"
            threading.Event().wait(0.02)
        return [path.read_bytes() for path in found]

    def clear(self) -> None:
        """Empty all boxes, as if nothing had ever come, indexes and all; what is still underway is waited for, or
        it would come to the next test.
        """
        until = time.monotonic() + _START_SECS
        nothing = 0
        while nothing < 2:  # seen twice: a report is put into a folder just before the mail it is about leaves another
            underway = sum(path.is_file() for sub in QUEUES for path in (self.folder / "queue" / sub).rglob("*"))
            nothing = 0 if underway else nothing + 1
            assert time.monotonic() < until, f"{underway} mails are still underway:\n{self.log()}"
            threading.Event().wait(0.02 if underway else 0)
        for old in (self.folder / "boxes").iterdir():
            shutil.rmtree(old, ignore_errors=True)
        for name in ("hub", "rada"):
            _maildir(self.folder / "boxes" / name)

    def log(self) -> str:
        """The last lines of both logs."""
        logs = [self.folder / "mail.log", self.folder / "dovecot.log"]
        return "\n".join(log.read_text("utf-8", "replace")[-3_000:] for log in logs if log.exists())


def _maildir(box: Path) -> None:
    for sub in ("new", "cur", "tmp"):
        (box / sub).mkdir(parents=True, exist_ok=True)
        shutil.chown(box / sub, "mail", "mail")
    shutil.chown(box, "mail", "mail")


def _await_port(port: int, log: Path) -> None:
    until = time.monotonic() + _START_SECS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < until, log.read_text("utf-8", "replace") if log.exists() else "no log"
            threading.Event().wait(0.02)
        else:
            return


@contextlib.contextmanager
def mail_host(folder: Path, *, next_hop: int) -> Iterator[MailHost]:
    """Start both, and stop both. Needs to be root, as Postfix does. ``next_hop``: where mail for ``gone`` goes on."""
    folder.chmod(0o755)
    certified = folder / "tls"
    certified.mkdir()
    authority = TestAuthority(certified)
    pem, _ = authority.issue("host")
    listener = socket.create_server(("127.0.0.1", 0))
    greylist = Greylist(port=listener.getsockname()[1])
    threading.Thread(target=greylist.serve, args=(listener,), daemon=True).start()
    ports = {name: free_port() for name in ("smtp", "imap", "imaps")}
    for name in ("queue", "data", "boxes", "run", "state", "etc"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    values = {
        "folder": folder,
        "hub": HUB_DOMAIN,
        "body": BODY_DOMAIN,
        "uid": _id("mail", "u"),
        "gid": _id("mail", "g"),
        "pem": pem,
        "policy": greylist.port,
        "next_hop": next_hop,
        "password": PASSWORD,
        "port": ports["smtp"],
        **ports,
    }
    (folder / "etc" / "main.cf").write_text(MAIN.format(**values))
    (folder / "etc" / "master.cf").write_text(MASTER.format(**values))
    (folder / "etc" / "dovecot.conf").write_text(DOVECOT.format(**values))
    host = MailHost(
        folder=folder,
        smtp=ports["smtp"],
        imap=ports["imap"],
        imaps=ports["imaps"],
        ca=authority.file,
        greylist=greylist,
    )
    host.clear()
    dovecot = subprocess.Popen(
        ["dovecot", "-F", "-c", str(folder / "etc" / "dovecot.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_port(ports["imap"], folder / "dovecot.log")
        environ = {**os.environ, "MAIL_CONFIG": str(folder / "etc")}
        subprocess.run(["postfix", "-c", str(folder / "etc"), "start"], check=True, capture_output=True, env=environ)
        try:
            _await_port(ports["smtp"], folder / "mail.log")
            yield host
        finally:
            subprocess.run(
                ["postfix", "-c", str(folder / "etc"), "stop"], check=False, capture_output=True, env=environ
            )
    finally:
        dovecot.terminate()
        dovecot.wait(60)
        listener.close()


def _id(name: str, kind: str) -> str:
    return subprocess.run(["id", f"-{kind}", name], check=True, capture_output=True, text=True).stdout.strip()
