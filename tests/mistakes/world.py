"""A home, servers on loopback, and the commands of a person who looks for a mistake."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization

from hub import adapters
from hub.cli import channel as channel_commands
from hub.cli import cli, trying
from hub.cli.init import make_home
from hub.cli.mistaken import ChannelFailed
from hub.clock import SystemClock
from hub.errors import Retry
from hub.ports import Outcome
from hub.protocols.soap.fetching import pin
from hub.schemas.delivery import OutcomeKind
from hub.seals import HubSeal, load_signing_key
from hub.settings import Settings
from registry import FixedRegistry, load
from tests.adapters.certificates import TestAuthority, server_context
from tests.adapters.servers import serving
from tests.adapters.sftp.sshd import USER, Sshd
from tests.adapters.test_soap_wsdl import MAPPING, lay_down
from tests.mistakes import peers
from tests.mistakes.bases import BASES
from tests.mistakes.mistake import Mistake, Shown
from tests.ports import free_port

BODIES: Final = """authorities:
  - {code: "00032106", name: Банк, kind: national_bank, territory: UA}
  - {code: "36521731", name: Центр, kind: central, territory: UA}
"""
FORM: Final = {
    "channel": "web",
    "kind": "complaint",
    "received_at": "2026-03-02T10:00:00Z",
    "applicant": {"type": "individual", "name": {"surname": "Гук", "given": "Іван"}, "address": {"text": "м. Київ"}},
    "topics": ["other"],
    "text": "Немає світла.",
}
CHANNEL: Final = "00032106.edms"
_LANE: Final = {
    Retry.LATER: "tries again",
    Retry.REPEAT: "sends the same again",
    Retry.MENDED: "waits",
    Retry.OPERATOR: "to operators",
    Retry.NEVER: "to operators",
}
_LANE_BY_KIND: Final = {Outcome.KINDS[retry]: word for retry, word in _LANE.items() if retry is not Retry.MENDED} | {
    OutcomeKind.DELIVERED: "goes on",
    OutcomeKind.REFUSED: "to operators",
}
_OTHER_HOST_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
_POINTER: Final = re.compile(r"[^#]+:(\d+)(?:#(.*))?")
_WHOLE_POINTER: Final = re.compile(r"/channels/\d+(?:/channel)?(?:/settings)?/?")


class World:
    """``words``: what stands for ``<NAME>`` in the channels' texts."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.home = folder / "home"
        make_home(Settings(home=self.home))
        self.registry = self.home / "registry"
        shutil.rmtree(self.registry)
        self.registry.mkdir()
        (self.registry / "bodies.yaml").write_text(BODIES, "utf-8")
        (folder / "form.json").write_text(json.dumps(FORM), "utf-8")
        self._seal = HubSeal(load_signing_key(self.home / "keys" / "hub.pem"))
        self._table = adapters.table()
        self.words = {"DIR": str(folder), "USER": USER, "NOBODY": str(free_port()), "SFTP": "22"}
        self.words |= {"HOST_KEY": _OTHER_HOST_KEY, "OTHER_HOST_KEY": _OTHER_HOST_KEY}
        self._secrets()
        self._certificates(stack)
        self._servers(stack)
        self._descriptions()

    def _secrets(self) -> None:
        for name, text in (
            ("token", peers.TOKEN),
            ("wrong.token", "wrong-token-1234567890"),
            ("two-lines.token", "one\ntwo"),
            ("password", peers.PASSWORD),
            ("wrong.password", "wrong-password-1234567890"),
            ("reply.key", "0123456789abcdef" * 4),
            ("short.key", "0123456789"),
            ("hook.key", "whsec_" + "A" * 43 + "="),
            ("garbage.pem", "nothing of the kind"),
            ("other_key", ""),
        ):
            peers.secret(self.folder / name, text)
        peers.secret(self.folder / "open.token", peers.TOKEN, 0o644)

    def _certificates(self, stack: contextlib.ExitStack) -> None:
        folder = self.folder
        ours, other = TestAuthority(folder), TestAuthority(folder, "Other CA")
        pem, _ = ours.issue("server")
        ours.issue("client")
        another, _ = ours.issue("another")
        key = serialization.load_pem_private_key(another.read_bytes(), None)
        locked = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )
        peers.secret(folder / "locked.pem", locked.decode())
        stranger, _ = other.issue("stranger")
        expired, _ = ours.issue("expired", expired=True)
        named, _ = ours.issue("named", dns="edms.example.org")
        for name, file, client_ca in (
            ("TLS", pem, None),
            ("EXPIRED", expired, None),
            ("NAMED", named, None),
            ("STRANGER", stranger, None),
            ("MTLS", pem, ours.file),
        ):
            server = stack.enter_context(serving(peers.well, server_context(file, client_ca=client_ca)))
            self.words[name] = str(server.port)
        self._tls = server_context(pem)

    def _servers(self, stack: contextlib.ExitStack) -> None:
        for name, script in (
            ("HTTP", peers.edms),
            ("MUTE", peers.mute),
            ("SMTP", peers.smtp().script),
            ("IMAP", peers.Box().script),
        ):
            self.words[name] = str(stack.enter_context(serving(script)).port)
        refusals = {"RCPT": b"550 5.1.1 no such user\r\n"}
        mail = peers.smtp("AUTH PLAIN", AUTH=b"535 5.7.8 authentication failed\r\n")
        open_mail = peers.smtp("AUTH PLAIN", AUTH=b"235 ok\r\n", **refusals)
        strict = peers.smtp("AUTH PLAIN", AUTH=b"235 ok\r\n", MAIL=b"553 5.7.1 sender address rejected\r\n")
        for name, script in (
            ("SMTPS", mail.script),
            ("OPEN", open_mail.script),
            ("STRICT", strict.script),
            ("IMAPS", peers.Box().script),
        ):
            self.words[name] = str(stack.enter_context(serving(script, self._tls)).port)

    def _descriptions(self) -> None:
        """Pinned folders: a sound one, and those with one mistake each."""
        sound = {**MAPPING, "leaves_out": ["channel", "sign", "reply_by", "subject", "reference", "applicant"]}
        request = sound["request"]
        for name, mapping in (
            ("wsdl", sound),
            ("no-operation", {**sound, "operation": "RegisterApeal"}),
            ("slip", {**sound, "request": {**request, "text": "$body.txt"}}),
            ("type", {**sound, "request": {**request, "kind": "$body.text"}}),
            ("member", {**sound, "request": {**request, "txt": "$body.text"}}),
        ):
            self.words[_pin(name)] = lay_down(self.folder / name, mapping)["sha256"]
        folder = self.folder / "no-xml"
        lay_down(folder, sound)
        files = {"service.wsdl": b"<html><body>Log in", "mapping.yaml": (folder / "mapping.yaml").read_bytes()}
        (folder / "service.wsdl").write_bytes(files["service.wsdl"])
        self.words[_pin("no-xml")] = pin(folder, "service.wsdl", files)

    def start_sshd(self, stack: contextlib.ExitStack) -> None:
        """Start a real SFTP server, for those who need one."""
        for name in ("in", "out"):
            (self.folder / name).mkdir()
        server = Sshd(self.folder)
        stack.callback(server.close)
        self.words |= {"SFTP": str(server.port), "HOST_KEY": server.host_key}
        (self.folder / "read-only").mkdir()
        reader = Sshd(self.folder / "read-only", "-R")
        stack.callback(reader.close)
        self.words |= {"READ_ONLY": str(reader.port), "READ_ONLY_KEY": reader.host_key}

    def text(self, base: str) -> str:
        """The text with the names of this world."""
        return re.sub(r"<([A-Z_]+)>", lambda found: self.words[found[1]], base)

    def made(self, mistake: Mistake) -> Shown:
        """Make a mistake, and see what its command shows."""
        text = BASES[mistake.base]
        for old, new in ((mistake.old, mistake.new), *mistake.also):
            assert old in text, mistake
            text = text.replace(old, new, 1)
        lines = self.text(text)
        with self._written(mistake, lines):
            commands = {"check": self._check, "probe": self._probe, "try": self._try, "doctor": self._doctor}
            shown = commands[mistake.seen](mistake)
        self._hold_line(mistake, shown, lines)
        return shown

    @contextlib.contextmanager
    def _written(self, mistake: Mistake, text: str) -> Iterator[None]:
        file = self.home / "webhooks.yaml" if mistake.base == "hooks" else self.registry / "edms.yaml"
        file.write_text(text, "utf-8")
        try:
            yield
        finally:
            file.unlink()

    @staticmethod
    def _hold_line(mistake: Mistake, shown: Shown, text: str) -> None:
        """The line that is named must be that of the mistake, or of the setting."""
        if shown.line is None:
            return
        line = text.splitlines()[shown.line - 1]
        last = shown.place.rpartition("/")[2]
        words = mistake.at or (last if not last.isdigit() else mistake.new.splitlines()[0].strip())
        assert words in line, (mistake.title, shown, line)

    # Commands

    def _run(self, *words: str) -> Any:
        """The JSON that a command prints. Its ``HubError`` passes."""
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
            patch.setenv("HUB_HOME", str(self.home))
            with contextlib.suppress(SystemExit):
                cli.main([*words, "--json"], standalone_mode=False)
        return json.loads(out.getvalue())

    def _check(self, mistake: Mistake) -> Shown:
        said = self._run("registry", "check")
        if said["ok"]:
            note = said["notes"][mistake.row]
            return Shown(code="", text=f"note: {note['message']}")
        fault = said["faults"][mistake.row]
        line, place = _place(fault["pointer"])
        text, next_step = self._plain(fault["message"]), fault.get("next", "")
        return Shown(code=fault["code"], text=text, line=line, place=place, next_step=next_step)

    def _probe(self, mistake: Mistake) -> Shown:
        return self._channel(mistake, "probe", CHANNEL)

    def _try(self, mistake: Mistake) -> Shown:
        return self._channel(mistake, "try", CHANNEL, "--yes", "--appeal", str(self.folder / "form.json"))

    def _channel(self, mistake: Mistake, command: str, *words: str) -> Shown:
        directory = FixedRegistry(load(self.registry, self._table))
        settings = Settings(home=self.home)
        hub = SimpleNamespace(
            registry=directory, settings=settings, seal=self._seal, clock=SystemClock(), close=lambda: None
        )
        with pytest.MonkeyPatch.context() as patch:
            for commands in (channel_commands, trying):
                patch.setattr(commands, "build", lambda _: hub)
            try:
                said = self._run("channel", command, *words)
            except ChannelFailed as failed:
                return self._failed(failed)
        return self._noted(said, mistake) if command == "probe" else self._ended(said)

    def _failed(self, failed: ChannelFailed) -> Shown:
        line, place = _place(failed.place)
        return Shown(
            code=failed.stable_code,
            text=self._plain(failed.message),
            line=line,
            place=place,
            next_step=failed.next_step,
            lane="stops" if failed.cause.stops_lane else _LANE[failed.cause.retry],
        )

    def _noted(self, said: dict[str, Any], mistake: Mistake) -> Shown:
        assert said["notes"], (mistake.title, said)
        return Shown(code="", text=self._plain(f"note: {said['notes'][mistake.row]}"))

    def _ended(self, said: dict[str, Any]) -> Shown:
        line, place = _place(said["where"])
        odd = [
            f"{name}: {said['understood'][name]}" for name in ("unclear", "nothing at") if name in said["understood"]
        ]
        text = said["detail"] if said["code"] else "; ".join(odd)
        lane = _LANE_BY_KIND[OutcomeKind(said["outcome"])]
        return Shown(
            code=said["code"] or "",
            text=self._plain(text),
            line=line,
            place=place,
            next_step=said["next"] or "",
            lane=lane,
        )

    def _doctor(self, _mistake: Mistake) -> Shown:
        said = self._run("doctor")
        (wrong,) = [each["finding"] for each in said if not each["ok"] and each["check"] == "webhooks"]
        text, _, next_step = self._plain(wrong).partition(" Next: ")
        code, _, text = text.partition(": ")
        return Shown(code=code, text=text, next_step=next_step)

    def _plain(self, text: str) -> str:
        """The text without what is this run's: folders, ports, fingerprints."""
        text = text.replace(str(self.home), "/var/lib/hub").replace(str(self.folder), "/etc/hub")
        text = re.sub(r"SHA256:[A-Za-z0-9+/]+", "SHA256:…", text)
        for port in {word for name, word in self.words.items() if word.isdigit()}:
            text = re.sub(rf":{port}\b", ":PORT", text)
        return text


def _pin(name: str) -> str:
    return "PIN" if name == "wsdl" else f"PIN_{name.upper().replace('-', '_')}"


def _place(pointer: str | None) -> tuple[int | None, str]:
    found = _POINTER.fullmatch(pointer or "")
    if found is None:
        return None, ""
    return int(found[1]), _WHOLE_POINTER.sub("", found[2] or "", count=1)
