"""Fetching what an authority has laid into its outbox. Everything in a listing is hostile until it was looked at.

Whoever renames a thing into ``work/`` first has it: two workers never take the same. After the sink returned it goes to
``done/``; refused, to ``refused/`` with ``NAME.reason.txt`` beside it. What cannot be read, taken or put away is held
for a person with its bytes. What a worker left in ``work/`` when it was killed is taken over after twice the lane's
deadline, when it has surely ended. Nothing but markers is ever deleted.
``reading`` says what is understood.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hub.adapters.documents.bound import BoundDocuments
from hub.adapters.sftp.connection import BROKEN, SftpConnection, refused
from hub.adapters.sftp.layout import MARKER
from hub.adapters.sftp.reading import Reader
from hub.adapters.sftp.settings import SftpSettings
from hub.contained import contained
from hub.errors import ConfigurationError, DeliveryError, HubError, InvalidInput, TemporaryFailure, Unavailable
from hub.ports import InboundSink
from hub.protocols.sftp import FolderEntry, Sftp, StatusError
from hub.schemas.directory import LegalClass

log = logging.getLogger(__name__)

WORK: Final = "work"
DONE: Final = "done"
REFUSED: Final = "refused"
OWN_FOLDERS: Final = (WORK, DONE, REFUSED)
MAX_ENTRIES: Final = 10_000
ENTRY_BYTES: Final = 1_024
"""More than a line of a listing has, with the longest name twice."""
MAX_TAKEN: Final = 200
LEAST_SECS: Final = 1.0
"""With less time left, nothing more is begun."""
MAX_HELD: Final = 50
"""So many files are held in one visit for a person, where the hub may take none."""
WAY: Final = (*BROKEN, StatusError)
"""Faults of the connection and refusals of the server: no fault of the file."""
_CLOCK: Final = ".clock"
_CLOCK_SECS: Final = 86_400
_RELEASED: Final = "0" * 13
_MARKER: Final = MARKER.encode()
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9._-]")
_CLAIM: Final = re.compile(rb"(\d{13})-[0-9a-f]{8}-([A-Za-z0-9._-]{1,80})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Flags:
    """Names of files that say that another is whole. ``suffix``: how they end; ``stem``: it takes the place of the
    other's own ending.
    """

    suffix: bytes = MARKER.encode()
    stem: bool = False

    @classmethod
    def of(cls, pattern: str) -> Flags:
        """By a pattern: ``{name}.done``, ``{stem}.ok``."""
        return cls(suffix=pattern.partition("}")[2].encode(), stem=pattern.startswith("{stem}"))

    def is_flag(self, name: bytes) -> bool:
        """True for the name of a flag. Systems that write names in capitals write the flag's so, too."""
        return name.lower().endswith(self.suffix.lower())

    def key(self, name: bytes) -> bytes:
        """Part that the name of a file has in common with that of its flag."""
        if self.is_flag(name):
            return name[: -len(self.suffix)].lower()
        return (name.rpartition(b".")[0] or name).lower() if self.stem else name.lower()


DONE_FLAGS: Final = Flags()


def choose(
    entries: list[FolderEntry], *, stable_before: int | None, flags: Flags = DONE_FLAGS
) -> tuple[list[FolderEntry], list[FolderEntry]]:
    """Entries that may be taken, oldest first, and those that never can be: links, pipes, devices. Pure.

    ``stable_before``: files not written to since then are whole; absent, a file is whole if its marker is there.
    Folders are looked into later. Names that begin with a dot are in the making; markers and the hub's own folders are
    no mail. A name with a slash or a zero byte is none that a folder can have: a server that shows one lies, and it is
    left alone.
    """
    marked = markers(entries, flags)
    ready: list[FolderEntry] = []
    hopeless: list[FolderEntry] = []
    for entry in entries:
        if not _is_mail(entry.name):
            continue
        if entry.is_folder:
            ready.append(entry)
        elif not entry.is_file:
            hopeless.append(entry)
        elif flags.is_flag(entry.name):
            continue
        elif entry.name in marked if stable_before is None else entry.modified <= stable_before:
            ready.append(entry)
    ready.sort(key=lambda entry: (entry.modified, entry.name))
    return ready, hopeless


def markers(entries: list[FolderEntry], flags: Flags = DONE_FLAGS) -> dict[bytes, bytes]:
    """Names of files, each with that of its marker."""
    files = sorted(entry.name for entry in entries if entry.is_file)
    marked: dict[bytes, list[bytes]] = {}
    for name in files:
        if not flags.is_flag(name):
            marked.setdefault(flags.key(name), []).append(name)
    found: dict[bytes, bytes] = {}
    for name in filter(flags.is_flag, files):
        fits = marked.get(flags.key(name), [])
        exact = [each for each in fits if each == name[: -len(flags.suffix)]]
        for each in exact or (fits if flags.stem else fits[-1:]):
            found.setdefault(each, name)
    return found


def _is_mail(name: bytes) -> bool:
    own = {folder.encode() for folder in OWN_FOLDERS}
    return bool(name) and not name.startswith(b".") and b"/" not in name and b"\0" not in name and name not in own


def claim_name(name: bytes, at_millis: int | None = None) -> str:
    """A name of the hub's own making under which a thing is kept from now on; the end of theirs is in it, made safe."""
    millis = f"{at_millis:013d}" if at_millis is not None else _RELEASED
    return f"{millis}-{uuid.uuid4().hex[:8]}-{_UNSAFE.sub(b'_', name)[-80:].decode('ascii')}"


def collect(
    connection: SftpConnection,
    settings: SftpSettings,
    sink: InboundSink,
    *,
    reaches: LegalClass,
    until: float,
    take_over_secs: float,
    documents: BoundDocuments | None = None,
) -> int:
    """Take what is there; returns how many things the sink was given. Raises ``DeliveryError``, ``Unavailable``."""
    outbox = _Outbox(connection, settings, sink, Reader(connection, reaches=reaches, documents=documents))
    handed = 0
    with connection.talking():
        for claim in outbox.claims(take_over_secs):
            handed += outbox.handle(claim)
            if handed >= MAX_TAKEN or time.monotonic() > until - LEAST_SECS:
                break
    return handed


class _Outbox:
    def __init__(self, connection: SftpConnection, settings: SftpSettings, sink: InboundSink, reader: Reader) -> None:
        assert settings.outbox is not None
        self._root = settings.outbox.rstrip("/")
        self._settings = settings
        self._wire = connection.wire
        self._sftp = connection.sftp
        self._sink = sink
        self._reader = reader
        self._flags = DONE_FLAGS if settings.template is None else Flags.of(settings.template.answers.flag)
        self._held = 0

    def claims(self, take_over_secs: float) -> Iterator[str]:
        """Names in ``work/`` of what is ours now, one after another as they are asked for."""
        self._wire.allow(2 * MAX_ENTRIES * ENTRY_BYTES)
        entries = self._listed(self._root)
        self._make_folders(entries)
        left = self._listed(f"{self._root}/{WORK}")
        ready, hopeless = choose(entries, stable_before=self._stable_before(), flags=self._flags)
        marked = markers(entries, self._flags)
        self._sweep_markers(entries, frozenset(marked.values()))
        for entry in hopeless:
            self._put_aside_unread(entry)
        for entry in ready:
            path = f"{self._root}/".encode() + entry.name
            if not entry.is_folder or self._is_whole(path):
                yield from self._claim(path, entry.name, marked.get(entry.name))
        # Last, so that one on which workers die does not stand in the way of the others.
        now = int(time.time() * 1000)
        for entry in left:
            claim = _CLAIM.fullmatch(entry.name)
            if claim and now - int(claim[1]) > take_over_secs * 1000:
                yield from self._claim(f"{self._root}/{WORK}/".encode() + entry.name, claim[2], None)

    def _listed(self, folder: str) -> list[FolderEntry]:
        try:
            return self._sftp.listing(folder, limit=MAX_ENTRIES)
        except StatusError as error:
            raise refused(error, f"show the folder {folder}", "sftp.folder") from None

    def _make_folders(self, entries: list[FolderEntry]) -> None:
        """Without its own folders the hub can take nothing: what waits is held for a person, for as long as it does."""
        for folder in OWN_FOLDERS:
            try:
                self._sftp.make_folder(f"{self._root}/{folder}")
            except StatusError as error:
                failure = refused(error, f"make the folder {folder} in its outbox", "sftp.no_folders")
                for name in markers(entries, self._flags):
                    self._hold(f"{self._root}/".encode() + name, failure)
                raise failure from None

    def _is_whole(self, folder: bytes) -> bool:
        """True if the marker is in a folder."""
        wanted = {_MARKER, self._settings.marker.lower().encode()}
        if self._sftp.look(folder + b"/" + self._settings.marker.encode()) is not None:
            return True
        with contextlib.suppress(StatusError):
            inside = self._sftp.listing(folder, limit=MAX_ENTRIES)
            return any(entry.name.lower() in wanted for entry in inside)
        return False

    def _claim(self, path: bytes, name: bytes, marker: bytes | None) -> Iterator[str]:
        """Rename it to a name that nobody else can have; who comes second finds nothing."""
        claim = claim_name(name, int(time.time() * 1000))
        try:
            self._sftp.rename(path, f"{self._root}/{WORK}/{claim}")
        except StatusError as error:
            if not error.absent and self._sftp.look(path) is not None:
                self._hold(path, refused(error, "let the hub take a file out of its outbox", "sftp.not_taken"))
            return
        if marker is not None:
            with contextlib.suppress(StatusError):
                self._sftp.remove(f"{self._root}/".encode() + marker)
        yield claim

    def _sweep_markers(self, entries: list[FolderEntry], used: frozenset[bytes]) -> None:
        """Markers whose file was taken: left there they would call the next file of that name whole too early."""
        for entry in entries:
            if entry.is_file and _is_mail(entry.name) and self._flags.is_flag(entry.name) and entry.name not in used:
                with contextlib.suppress(StatusError):
                    self._sftp.remove(f"{self._root}/".encode() + entry.name)

    def _stable_before(self) -> int | None:
        """By the server's own clock, which a file of ours shows: its clock and ours may differ by hours."""
        return stable_before(self._sftp, self._root, self._settings)

    def handle(self, claim: str) -> int:
        """Read one thing, hand it over, put it away. 1 if the sink got it."""
        path = f"{self._root}/{WORK}/{claim}"
        try:
            with contained("file", passing=WAY):
                self._reader.hand_over(path, self._sink)
        except Unavailable:
            released = claim_name(claim[len(_RELEASED) + 10 :].encode())
            self._sftp.rename(path, f"{self._root}/{WORK}/{released}")
            raise
        except DeliveryError:
            raise
        except StatusError as error:
            self._refuse(path, claim, refused(error, "let the hub read this", "sftp.unreadable"))
            return 0
        except HubError as refusal:
            self._refuse(path, claim, refusal)
            return 1
        if (failure := self._put_away(path, DONE, claim)) is not None:
            self._hold(path, failure)
        return 1

    def _put_aside_unread(self, entry: FolderEntry) -> None:
        claim = claim_name(entry.name, int(time.time() * 1000))
        why = InvalidInput(
            "This is neither a file nor a folder.",
            code="sftp.kind",
            action="Lay plain files and folders here, no links.",
        )
        self._refuse(f"{self._root}/".encode() + entry.name, claim, why)

    def _hold(self, path: str | bytes, why: HubError) -> None:
        """Give what lies at a path to a person; the same again is counted by the journal."""
        if self._held >= MAX_HELD:
            raise why
        self._held += 1
        log.warning("a file in an outbox waits for a person", extra={"code": why.stable_code})
        self._sink.held(self._reader.raw(path), verdict=why.stable_code, detail=why.message)

    def _refuse(self, path: str | bytes, claim: str, why: HubError) -> None:
        log.warning("a file in an outbox was refused", extra={"code": why.stable_code})
        if not why.journalled:
            self._sink.held(self._reader.raw(path), verdict=why.stable_code, detail=why.message)
        if self._put_away(path, REFUSED, claim) is None:
            faults = [f"{fault.pointer}: {fault.message} ({fault.code})" for fault in getattr(why, "faults", ())]
            lines = [f"{why.stable_code}: {why.message}", *faults, why.next_step]
            with contextlib.suppress(StatusError):
                self._sftp.write(f"{self._root}/{REFUSED}/{claim}.reason.txt", ["\n".join([*lines, ""]).encode()])

    def _put_away(self, path: str | bytes, folder: str, claim: str) -> TemporaryFailure | None:
        """Move it; the failure if that is refused. Then it stays in ``work/`` and comes again, which does no harm."""
        try:
            self._sftp.rename(path, f"{self._root}/{folder}/{claim}")
        except StatusError as error:
            log.warning("a file in an outbox cannot be put away: %s", error, extra={"code": "sftp.not_put_away"})
            return refused(error, f"move what was taken in to {folder}", "sftp.not_put_away")
        return None


def stable_before(sftp: Sftp, root: str, settings: SftpSettings) -> int | None:
    """When a file must have been written last to be whole; None where markers say it.

    ``ConfigurationError`` (``sftp.no_times``) if the server does not say when files were written.
    """
    if settings.ready == "marker":
        return None
    shown = _clock(sftp, f"{root}/{WORK}", dotted=settings.temporary.startswith("."))
    if shown is None:
        raise ConfigurationError(
            "This server does not say when files were written, so `ready: stable` cannot work there.",
            code="sftp.no_times",
            action="Agree on markers with the authority, and set ready: marker.",
        )
    return shown - settings.stable_secs


def _clock(sftp: Sftp, work: str, *, dotted: bool) -> int | None:
    """Time of the server: that of a file that is written now. Where nothing may be written over, a file that was
    written today shows how far its clock is from ours. None if it says no times. ``TemporaryFailure``.
    """
    name = f"{work}/{_CLOCK if dotted else _CLOCK.lstrip('.')}"
    try:
        sftp.write(name, [b"."])
        clock = sftp.look(name)
    except StatusError as error:
        if sftp.look(name) is None:
            raise refused(error, f"let the hub write into {WORK}", "sftp.no_clock") from None
        return _clock_of_today(sftp, name)
    return clock.modified or None if clock is not None else None


def _clock_of_today(sftp: Sftp, name: str) -> int | None:
    folder, _, stem = name.rpartition("/")
    now = int(time.time())
    pattern = re.compile(re.escape(stem.encode()) + rb"-(\d{10})")
    entries = sftp.listing(folder, limit=MAX_ENTRIES)
    known = {entry.name: int(found[1]) for entry in entries if (found := pattern.fullmatch(entry.name))}
    newest = max(known, key=lambda each: known[each], default=None)
    if newest is None or not 0 <= now - known[newest] < _CLOCK_SECS:
        newest = f"{stem}-{now:010d}".encode()
        known[newest] = now
        try:
            sftp.write(f"{folder}/{newest.decode()}", [b"."])
        except StatusError as error:
            raise refused(error, f"let the hub write into {WORK}", "sftp.no_clock") from None
    for old in known.keys() - {newest}:
        with contextlib.suppress(StatusError):
            sftp.remove(f"{folder}/".encode() + old)
    clock = sftp.look(f"{folder}/".encode() + newest)
    return clock.modified + now - known[newest] if clock is not None and clock.modified else None
