"""From a document of theirs to statements for the sink: read, correlated, handed over. One that fails costs itself.

Correlation: ``echo`` is our message id, our case id, the name of our file or the number of the appeal; without an echo
their ``id``, if a sending brought one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from hub.adapters.answer_files import inside
from hub.adapters.documents.forms import DocumentPiece
from hub.adapters.mapping import AnswerMapping, Meaning, meaning
from hub.adapters.outcomes import Heard, read_document
from hub.adapters.template import CODES
from hub.contained import contained
from hub.errors import DeliveryError, Fault, HubError, InvalidInput, Unavailable
from hub.ports import InboundSink, NumberSink, RawInbound
from hub.schemas.delivery import Delivery
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import MAX_ATTACHMENTS, Attachment
from hub.schemas.ids import CaseId, MessageId, spelled

UNREADABLE: Final = "document.unreadable"
_LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Stands for the moment of a statement that names none, about a message that is not at hand."""
_RANKS: Final = (LegalClass.SENT, LegalClass.DELIVERED, LegalClass.REGISTERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a document came from. ``reaches``: what this way can prove at most. ``about``: the delivery that it
    answers, if the way itself tells; ``names``: what an echo may call it besides its ids; ``sure``: it need not be
    named. ``party``: whose word it is by a proof of its own. ``heard``: when it came to a place of ours. ``passing``:
    faults of the way, which end all.
    """

    content_type: str
    reaches: LegalClass
    about: Delivery | None = None
    names: frozenset[str] = frozenset()
    sure: bool = True
    party: str | None = None
    heard: datetime | None = None
    files: Callable[[Delivery], tuple[Attachment, ...]] = lambda _: ()
    passing: tuple[type[Exception], ...] = ()


def take_in(pieces: Iterable[DocumentPiece], rules: AnswerMapping, sink: InboundSink, source: Source) -> None:
    """Hand over each statement. What is refused of several is told at the end (``InvalidInput``, ``document.several``);
    a single one raises what the sink raised, and a person has it. ``Unavailable``: leave it there and come back.
    """
    refused: list[tuple[DocumentPiece, HubError]] = []
    count = 0
    for piece in pieces:
        count += 1
        try:
            with contained("statement", passing=source.passing):
                _one(piece, rules, sink, source)
        except (Unavailable, DeliveryError):
            raise
        except HubError as refusal:
            if piece.unclear:
                refusal.message = f"{refusal.message} Not understood: {'; '.join(piece.unclear)}."
            refused.append((piece, refusal))
            if not refusal.journalled:
                _hold(piece, refusal, sink, source)
    if not count:
        raise InvalidInput("There is no statement in it.", code=UNREADABLE)
    if refused:
        raise _several(refused, count)


def _one(piece: DocumentPiece, rules: AnswerMapping, sink: InboundSink, source: Source) -> None:
    if piece.find is None:
        raise InvalidInput(f"{piece.place}: {piece.fault}.", code=UNREADABLE)
    said = meaning(rules, piece.find, piece.rows)
    said = replace(said, unclear=(*said.unclear, *piece.unclear))
    about = _about(said, sink, source)
    raw = _raw(piece, source)
    made = read_document(said, rules, Heard(raw=raw, http_status=None, codes=CODES), about.sent)
    files, unclear = _files(said, about.delivery, sink, source)
    sink.reported(
        replace(
            made,
            said_id=f"{about.key}:{made.said_id}",
            party=source.party,
            in_reply_to=about.message_id,
            external_id=None,
            reference=about.reference,
            attachments=files,
            unclear=" ".join(filter(None, (made.unclear, unclear))) or None,
            reaches=min(rules.reaches, source.reaches, key=_RANKS.index),
            heard=source.heard,
        )
    )


def _files(
    said: Meaning, delivery: Delivery | None, sink: InboundSink, source: Source
) -> tuple[tuple[Attachment, ...], str | None]:
    """Files that came with the document and in it, and what a person must hear of them."""
    if delivery is None:
        return (), None  # the sink will not know the message either
    beside = source.files(delivery)
    done = inside(said.files, partial(sink.keep, party=delivery.authority))
    known = {file.sha256 for file in beside}
    files = (*beside, *(file for file in done.files if file.sha256 not in known))
    if len(files) > MAX_ATTACHMENTS:
        done.unclear.append(f"files: {len(files) - MAX_ATTACHMENTS} too many")
    return files[:MAX_ATTACHMENTS], done.words()


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """Message that a statement is about: at hand, or by what names it."""

    delivery: Delivery | None = None
    unknown: MessageId | None = None
    reference: str | None = None

    @property
    def message_id(self) -> MessageId | None:
        return self.delivery.message_id if self.delivery is not None else self.unknown

    @property
    def key(self) -> str:
        return str(self.message_id or self.reference)

    @property
    def sent(self) -> datetime:
        return self.delivery.created_at if self.delivery is not None else _LONG_AGO


def _about(said: Meaning, sink: InboundSink, source: Source) -> _About:
    if source.about is not None:
        if said.echo is not None and not _names_it(said.echo, source.about, source.names):
            raise InvalidInput("It names another message than the one that it replies to.", code=CODES.foreign)
        if said.echo is None and not source.sure:
            raise _nameless()
        return _About(delivery=source.about)
    if said.echo is not None:
        return _named(said.echo, sink)
    known = sink.find(external_id=said.external_id) if said.external_id is not None else None
    if known is None:
        raise _nameless()
    return _About(delivery=known)


def _nameless() -> InvalidInput:
    return InvalidInput(
        "It does not name the message that it answers.",
        code=CODES.no_receipt,
        action="Give echo in the channel's answer: where our message id, file's name or the appeal's number is.",
    )


def _named(echo: str, sink: InboundSink) -> _About:
    """The message that an echo names; one that nobody knows is told by the sink."""
    found = spelled(echo)
    if found is not None:
        delivery = sink.find(message_id=MessageId(found)) or sink.find(case_id=CaseId(found))
        return _About(delivery=delivery, unknown=MessageId(found))
    delivery = sink.find(external_id=echo)
    if delivery is None and isinstance(sink, NumberSink):
        delivery = sink.numbered(echo)
    return _About(delivery=delivery) if delivery is not None else _About(reference=echo[:100])


def _names_it(echo: str, delivery: Delivery, names: frozenset[str]) -> bool:
    known = spelled(echo)
    if known is not None:
        return known in (delivery.message_id, delivery.case_id)
    return echo.strip().casefold() in {each.casefold() for each in names}


def _raw(piece: DocumentPiece, source: Source) -> RawInbound:
    return RawInbound(content_type=source.content_type, body=piece.raw)


def _hold(piece: DocumentPiece, why: HubError, sink: InboundSink, source: Source) -> None:
    about = source.about.message_id if source.about is not None else None
    sink.held(
        _raw(piece, source),
        verdict=why.stable_code,
        about=about,
        party=source.party,
        detail=f"{piece.place}: {why.message}",
    )


def _several(refused: list[tuple[DocumentPiece, HubError]], count: int) -> HubError:
    """Refusal that is told to whoever laid the document down: of a single statement its own."""
    for _, refusal in refused:
        refusal.journalled = True
    if count == 1:
        return refused[0][1]
    faults = [Fault(pointer=piece.place, code=why.stable_code, message=why.message) for piece, why in refused]
    failure = InvalidInput(
        f"{len(refused)} of {count} statements were not taken in; all others were.",
        code="document.several",
        faults=faults[:100],
        action="A person looks at those that are named; lay mended ones there anew.",
    )
    failure.journalled = True
    return failure
