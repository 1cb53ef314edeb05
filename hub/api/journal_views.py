"""Answers and orders of the doors of the journal and the holding pen; as ``hub.api.views``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hub.api.views import View
from hub.inbound.decisions import About, Decided, Order
from hub.inbound.guesses import Guess
from hub.ports import Excerpt
from hub.schemas.base import Frozen, Line, Text, format_datetime
from hub.schemas.envelope import Attachment, AuthorityBody
from hub.schemas.given import GivenStatement
from hub.schemas.ids import AuthorityCode, CaseId, Uuid7
from hub.schemas.journal import Custody, Door, InboundRecord
from hub.tracking.law import Law


class GuessView(View):
    """A case that the entry may belong to. `sure`: percent; `signs`: what it rests on. A guess attaches nothing."""

    case_id: str
    authority: str | None
    signs: tuple[str, ...]
    sure: int

    @classmethod
    def of(cls, guess: Guess) -> GuessView:
        """The view of a guess."""
        signs = tuple(sign.value for sign in guess.signs)
        return cls(case_id=str(guess.case_id), authority=guess.authority, signs=signs, sure=guess.sure)


class InboundView(View):
    """An entry of the journal of what came in. `size` and `sha256` are those of the whole, as it came; `kept` bytes of
    it can be read (`raw`), without credentials (`cuts` were cut out). `count`: how often the same came. `due_at`: by
    when a held entry is to be decided.
    """

    id: str
    door: Door
    received_at: str
    last_at: str | None
    count: int
    channel_id: str
    authority: str | None
    proof: str
    verdict: str
    custody: Custody
    case_id: str | None
    message_id: str | None
    content_type: str
    size: int
    sha256: str
    kept: int
    cuts: int
    detail: str | None
    due_at: str | None
    decided_at: str | None
    decided_by: str | None
    decision: str | None
    cursor: str

    @classmethod
    def of(cls, record: InboundRecord, law: Law) -> InboundView:
        """The view of an entry."""
        due = law.item_due(record.received_at) if record.custody == "held" else None
        return cls(
            id=record.id,
            door=record.door.value,
            received_at=format_datetime(record.received_at),
            last_at=format_datetime(record.last_at) if record.last_at else None,
            count=record.count,
            channel_id=record.channel_id,
            authority=None if record.authority == "-" else record.authority,
            proof=record.proof,
            verdict=record.verdict,
            custody=record.custody.value,
            case_id=str(record.case_id) if record.case_id else None,
            message_id=str(record.message_id) if record.message_id else None,
            content_type=record.content_type,
            size=record.size,
            sha256=record.sha256,
            kept=record.kept if record.kept_sha256 else record.size if record.message_id else 0,
            cuts=record.cuts,
            detail=record.detail,
            due_at=format_datetime(due) if due else None,
            decided_at=format_datetime(record.decided_at) if record.decided_at else None,
            decided_by=record.decided_by,
            decision=record.decision,
            cursor=record.cursor,
        )


class InboundsView(View):
    """A page of the journal, the newest first."""

    entries: tuple[InboundView, ...]
    cursor: str | None


class FileView(View):
    """A file that came along."""

    name: str
    media_type: str
    size: int


class ExcerptView(View):
    """Readable part of an entry, believed by nobody."""

    subject: str
    sender: str
    text: str
    files: tuple[FileView, ...]

    @classmethod
    def of(cls, excerpt: Excerpt) -> ExcerptView:
        """The view of an excerpt."""
        files = tuple(FileView(name=f.name, media_type=f.media_type, size=len(f.data)) for f in excerpt.files)
        return cls(subject=excerpt.subject, sender=excerpt.sender, text=excerpt.text, files=files)


class InboundEntryView(View):
    """One entry with what can be read in it, and guesses to which case it belongs, the surest first."""

    entry: InboundView
    excerpt: ExcerptView
    guesses: tuple[GuessView, ...]


class MadeView(View):
    """A message that a decision made."""

    case_id: str
    message_id: str


class DecidedView(View):
    """Result of a decision: the entry as it stands now (none for a statement of its own), and what was made of it."""

    entry: InboundView | None
    messages: tuple[MadeView, ...]

    @classmethod
    def of(cls, decided: Decided, law: Law) -> DecidedView:
        """The view of a decision."""
        entry = InboundView.of(decided.record, law) if decided.record is not None else None
        made = tuple(MadeView(case_id=str(case), message_id=str(message)) for case, message in decided.messages)
        return cls(entry=entry, messages=made)


class CaseOfEntry(Frozen):
    """A case that an entry belongs to, and whose word it is there (`authority`; absent: the sender, else the body that
    has the case).
    """

    case_id: Uuid7
    authority: AuthorityCode | None = None


class Attach(Frozen):
    """Put an entry to one case or several. `statement`: what it says there; absent = it belongs there and says nothing
    that changes the case. `again`: correct an earlier decision. No personal data belongs into the reason.
    """

    cases: Annotated[tuple[CaseOfEntry, ...], Field(min_length=1, max_length=100)]
    statement: GivenStatement | None = None
    reason: Annotated[str, Line(500)]
    again: bool = False

    @property
    def to(self) -> tuple[About, ...]:
        """The cases."""
        return tuple(About(case_id=CaseId(each.case_id), authority=each.authority) for each in self.cases)


class Decide(Frozen):
    """Say what an entry means whose case is known; without `statement`: nothing that changes the case."""

    statement: GivenStatement | None = None
    reason: Annotated[str, Line(500)]
    again: bool = False


class Dismiss(Frozen):
    """Say that an entry is nobody's word."""

    reason: Annotated[str, Line(500)]
    again: bool = False


class Tell(Frozen):
    """Record what a body said by phone, on paper or in person. `rests_on`: the letter with number and day, the call."""

    statement: GivenStatement
    rests_on: Annotated[str, Text(2_000)]
    reason: Annotated[str, Line(500)]
    authority: AuthorityCode | None = None
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=100)] = ()


def order_of(given: Attach | Decide | Dismiss, by: str, body: AuthorityBody | None) -> Order:
    """The order of a caller."""
    return Order(by=by, why=given.reason, body=body, again=given.again)
