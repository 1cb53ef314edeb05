"""The ledger: every input that was sent, every entry that the journal has, and whether the two agree."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hub.delivery.journal import REPEATING
from hub.inbound import listening
from hub.ports import InboundFilter, Store
from hub.schemas import charsets
from hub.schemas.ids import DeliveryId
from hub.schemas.journal import Custody, Door, InboundRecord
from tests.acceptance.accounting.hostile import PASSWORD

PAGE = 500
ATTACHED = Custody.ATTACHED
ANSWER_BYTES = 60 * 1024
"""So much of an answer is kept with its attempt at least."""
_SECRET = re.compile(PASSWORD.encode() + rb"|hub_[A-Za-z0-9]+_[A-Za-z0-9_-]+")
ENDS = ("attached", "repeat", "noted", "held", "with the attempt", "counted")


@dataclass(slots=True)
class Sent:
    """Input of one content by one way. ``forms``: bytes by which the journal may know it: as they came, and what was
    unpacked of them. ``delivery``: the sending that it answers. ``again``: shown again by a way on which that is no
    news.
    """

    way: str
    door: Door
    kind: str
    forms: tuple[bytes, ...]
    delivery: DeliveryId | None = None
    times: int = 1
    again: int = 0
    entries: list[InboundRecord] = field(default_factory=list)


class Ledger:
    """Books on both sides. ``refused``: calls of nobody, by way."""

    def __init__(self) -> None:
        self._sent: dict[tuple[Door, str], Sent] = {}
        self.refused: Counter[str] = Counter()

    def note(self, way: str, door: Door, kind: str, *forms: bytes, delivery: DeliveryId | None = None) -> None:
        """One input of a known sender. ``forms``: the first as it came."""
        known = self._sent.get((door, _sha256(forms[0])))
        if known is None:
            known = Sent(way=way, door=door, kind=kind, forms=forms, delivery=delivery)
            self._sent |= {(door, _sha256(form)): known for form in forms}
        else:
            known.times += 1

    @property
    def inputs(self) -> list[Sent]:
        """Each content once."""
        return list({id(sent): sent for sent in self._sent.values()}.values())

    @property
    def total(self) -> int:
        """Inputs in all."""
        return sum(sent.times + sent.again for sent in self.inputs) + self.refused.total()

    def faults(self, store: Store) -> list[str]:
        """All that does not agree, by name; and the table is filled."""
        faults = []
        for record in _records(store):
            if record.verdict == listening.VERDICT:
                continue  # the hub's own report of a channel, no input
            sent = self._sent.get((record.door, record.sha256))
            if sent is not None:
                sent.entries.append(record)
            elif record.door is not Door.LOGIN:
                faults.append(f"nobody sent what the journal has: {record.door} {record.verdict} {record.size} bytes")
        for sent in self.inputs:
            if sent.door in REPEATING and sent.entries and all(each.custody is ATTACHED for each in sent.entries):
                sent.times, sent.again = 1, sent.times - 1  # it was taken in; shown again, it is no news
            faults += [f"{sent.way}, {sent.kind}: {fault}" for fault in _faults(sent, store)]
        return faults + self._uncounted(store)

    def _uncounted(self, store: Store) -> list[str]:
        logins = [record for record in _records(store) if record.door is Door.LOGIN]
        counted = sum(record.count for record in logins)
        if counted != self.refused.total():
            return [f"{self.refused.total()} calls of nobody, {counted} counted"]
        return ["a call of nobody left bytes" for record in logins if record.size or record.kept_sha256]

    def rows(self, store: Store) -> int:
        """Entries about calls of nobody."""
        return sum(record.door is Door.LOGIN for record in _records(store))

    def table(self) -> str:
        """The accounting by way: sent, and where it is."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for sent in self.inputs:
            line = found[sent.way]
            line["sent"] += sent.times + sent.again
            line["shown again"] += sent.again
            for record in sent.entries:
                line[_end(record)] += record.count
            if not sent.entries:
                line["with the attempt"] += sent.times
        for way, count in self.refused.items():
            found[way]["sent"] += count
            found[way]["counted"] += count
        return _shown(found)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _records(store: Store) -> Iterator[InboundRecord]:
    after = None
    while page := store.inbound(InboundFilter(), limit=PAGE, after=after):
        yield from page
        after = page[-1].cursor


def _end(record: InboundRecord) -> str:
    if record.custody is Custody.NOTED and record.verdict == "repeat":
        return "repeat"
    return str(record.custody)


def _faults(sent: Sent, store: Store) -> Iterator[str]:
    """Faults of one input: each time that it came stands in one entry, and the entry has its bytes."""
    counted = sum(record.count for record in sent.entries)
    if not sent.entries and sent.delivery is not None and sent.door is Door.RESPONSE:
        answers = store.attempt_answers(sent.delivery).values()
        if not any(_same(answer.partition(b"\r\n\r\n")[2], sent.forms[0][:ANSWER_BYTES]) for answer in answers):
            yield f"gone: {sent.forms[0][:60]!r}, {len(sent.forms[0])} bytes"
        return
    if counted != sent.times:
        verdicts = [f"{record.verdict} x{record.count}" for record in sent.entries]
        yield f"came {sent.times} times, {counted} stand in the journal ({verdicts}): {sent.forms[0][:60]!r}"
    for record in sent.entries:
        if not _has_bytes(record, sent, store):
            yield f"the entry {record.verdict} of {record.size} bytes has others: {store.inbound_body(record)!r:.80}"


def _has_bytes(record: InboundRecord, sent: Sent, store: Store) -> bool:
    """True if an entry gives back what came; a long mail stands whole among the files of its statement."""
    body = store.inbound_body(record)
    if body is None:
        return False
    beside = store.attachment(record.sha256) is not None
    return any(_same(body, form) or (beside and form.startswith(body)) or _in_utf8(form) == body for form in sent.forms)


def _in_utf8(form: bytes) -> bytes:
    """What came, as text in UTF-8: an answer in another charset is read so, and its digest is that of what came."""
    return (charsets.read(form) or "").encode()


def _same(kept: bytes, came: bytes) -> bool:
    """True if these are the bytes that came, or they without the credentials that stood in them."""
    if _SECRET.search(came) is None:
        return kept == came or (len(came) >= ANSWER_BYTES and kept.startswith(came))
    return kept == _SECRET.sub(b"[cut]", came)


def _shown(found: Mapping[str, Mapping[str, int]]) -> str:
    columns = ("sent", *ENDS, "shown again")
    lines = [["way", *columns]]
    lines += [[way, *(str(found[way].get(column, 0)) for column in columns)] for way in sorted(found)]
    total = [str(sum(found[way].get(column, 0) for way in found)) for column in columns]
    lines.append(["all", *total])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    rows = [
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join(rows)
