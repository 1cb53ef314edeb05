"""A list of changes: one paged answer that tells of all open messages, beside or instead of one question for each.

Their order is not trusted: the list is read from a little before the farthest that was seen (``overlap``), each time to
its end, and what it shows again is known. Where it was left is kept after each page that was handed over, so that a
visit that is broken off goes on there.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import quote, urljoin
from uuid import UUID

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters import mapping as maps
from hub.adapters.json_places import find, is_list, rows, subtrees
from hub.adapters.mapping import AnswerMapping, AnswerPath, SaidFile, not_understood
from hub.adapters.mapping_check import day_pattern_fault
from hub.adapters.outcomes import Heard, read_poll_outcome
from hub.adapters.rest.files import origins
from hub.adapters.rest.statements import charset_of
from hub.adapters.template import CODES
from hub.contained import contained
from hub.errors import (
    ConfigurationError,
    DeliveryError,
    HubError,
    InvalidInput,
    ItemFailed,
    PermanentFailure,
    TemporaryFailure,
    Unavailable,
)
from hub.net.http import HttpAnswer, retry_after
from hub.net.settings import url_rule
from hub.ports import Dating, ListSink, Outcome, RawInbound, ReportedStatus
from hub.schemas import foreign_json
from hub.schemas.base import Frozen, Line
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import ReceiptBody
from hub.schemas.ids import MessageId
from hub.schemas.kyiv import written_zone
from hub.schemas.terms import ReceiptStatus

MAX_PAGES: Final = 10_000
"""Limit of one reading, over all visits: a list that never ends is none."""
_LEAST_SECS: Final = 1.0
_NOTHING: Final = frozenset({204, 304})
_EXPIRED: Final = frozenset({400, 404, 410, 414, 422})
"""Answers to a page that was named earlier and is no more."""
_REFUSED: Final = frozenset({400, 403, 405, 406, 410, 414, 422, 451})
_JSON: Final = "application/json"
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


def _sample(template: str) -> str:
    filled = template
    for name in ("cursor", "page", "token"):
        filled = filled.replace(f"{{{name}}}", "0")
    return filled


_PLACES: Final = "a list of changes knows {cursor}, {page}, and in token_url {token}"
ListUrl: TypeAlias = Annotated[str, url_rule(_sample, _PLACES)]


class NumberCursor(Frozen):
    """Numbers that grow with the list: ``path`` in an entry. ``start``: what is asked for first; ``overlap``: so much
    before the greatest that was seen the list is read again. ``leap``: an entry farther ahead than that is not believed
    to be the list's end: it goes to a person, and the list is read on from where it was.
    """

    type: Literal["number"] = "number"
    path: AnswerPath
    start: int = Field(default=0, ge=0, le=10**17)
    overlap: int = Field(default=100, ge=0, le=1_000_000)
    leap: int = Field(default=10_000_000_000, ge=1, le=10**17)

    def is_leap(self, place: int, before: int) -> bool:
        """True if a place cannot follow the farthest that was seen before it."""
        return place - before > self.leap

    def read(self, text: str, _now: datetime) -> int | None:
        """The place that an entry names; None if it names none."""
        return int(text) if _NUMBER.fullmatch(text) else None

    def asked(self, seen: str | None, _now: datetime) -> str:
        """Place that is asked for."""
        return str(max(int(seen) - self.overlap, self.start) if seen else self.start)


class MomentCursor(Frozen):
    """Moments of changes: ``path`` in an entry, ``date`` as strftime writes it, in Kyiv's time where it has no zone and
    does not end with ``Z`` (absent = ISO 8601, asked for in UTC). ``start_days``: how far back the first reading goes;
    ``overlap_secs``: so much before the latest moment that was seen the list is read again.
    """

    type: Literal["moment"]
    path: AnswerPath
    date: Annotated[str, Line(50)] | None = None
    start_days: int = Field(default=1, ge=0, le=366)
    overlap_secs: int = Field(default=3_600, ge=0, le=2_678_400)

    @model_validator(mode="after")
    def _readable(self) -> MomentCursor:
        if self.date is not None and (why := day_pattern_fault(self.date)) is not None:
            raise PydanticCustomError("mapping_pattern", "{why}", {"why": why})
        return self

    def read(self, text: str, now: datetime) -> int | None:
        """The place that an entry names, in seconds; a moment that has not come is none."""
        try:
            said = datetime.strptime(text, self.date) if self.date else datetime.fromisoformat(text)  # noqa: DTZ007
            moment = said if said.tzinfo else said.replace(tzinfo=written_zone(self.date or ""))
            secs = int(moment.timestamp())
        except (ValueError, OverflowError):
            return None
        return secs if 0 < secs <= (now + timedelta(days=1)).timestamp() else None

    def is_leap(self, place: int, before: int) -> bool:  # noqa: ARG002 - the signature is that of all cursors
        """Never: moments that have not come are not read."""
        return False

    def asked(self, seen: str | None, now: datetime) -> str:
        """Place that is asked for."""
        if seen:
            moment = datetime.fromtimestamp(int(seen), UTC) - timedelta(seconds=self.overlap_secs)
        else:
            moment = now - timedelta(days=self.start_days)
        if self.date is None:
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return moment.astimezone(written_zone(self.date)).strftime(self.date)


def _cursor_type(value: Any) -> str:
    """The member ``type``, which may be left out."""
    said = value.get("type", "number") if isinstance(value, dict) else getattr(value, "type", "number")
    return str(said)


Cursor: TypeAlias = Annotated[
    Annotated[NumberCursor, Tag("number")] | Annotated[MomentCursor, Tag("moment")], Discriminator(_cursor_type)
]


class Pages(Frozen):
    """How a list goes on. By number (``{page}`` in the URL): from ``first``, until ``of`` (where the answer says how
    many there are), or until an empty page. Or where the answer says: ``next`` is a URL, or with ``token_url`` a word
    for ``{token}`` in it.
    """

    first: int = Field(default=1, ge=0, le=1)
    of: AnswerPath | None = None
    next: AnswerPath | None = None
    token_url: ListUrl | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Pages:
        if self.next is None and self.token_url is not None:
            raise PydanticCustomError("pages", "token_url goes with next: where the answer says the token")
        if self.next is not None and self.of is not None:
            raise PydanticCustomError("pages", "of counts pages by number, next names the following one: one of them")
        if self.token_url is not None and "{token}" not in self.token_url:
            raise PydanticCustomError("pages", "token_url has no {token}")
        return self


class PageExample(Frozen):
    """A page of the list as that system answers, tried whenever the registry is read. ``entries``: how many are in it;
    ``following``: what it says of the page that comes next: its number, URL or word, as a text; absent = it is last.
    """

    page: Any
    entries: int = Field(ge=0)
    following: str | None = None


class ChangesSection(Frozen):
    """A list of changes. ``url``: with ``{cursor}``, and ``{page}`` if it has numbered pages; ``rows``: where the list
    stands in the answer, absent = the answer is one. ``means``: what an entry says; absent = as ``poll`` does, or, with
    ``document`` (their id of a message), only which message has changed, and that is asked for at ``status_url``.
    ``others``: what becomes of entries about documents that the hub did not send: ``hold`` for a person, or ``skip``.
    ``example``: a page of theirs: a wrong place of rows, cursor or pages looks like the end of the list.
    """

    url: ListUrl
    rows: AnswerPath | None = None
    cursor: Cursor
    pages: Pages | None = None
    document: AnswerPath | None = None
    means: AnswerMapping | None = None
    others: Literal["hold", "skip"] = "hold"
    example: PageExample | None = None

    @model_validator(mode="after")
    def _reads(self) -> ChangesSection:
        shown = self.example
        if shown is None:
            return self
        entries = subtrees(shown.page, self.rows)
        if len(entries) != shown.entries or not is_list(shown.page, self.rows):
            raise PydanticCustomError(
                "mapping_test",
                "the example has {wanted} entries, and {found} are found at {rows}",
                {"wanted": shown.entries, "found": len(entries), "rows": self.rows or "the root"},
            )
        now = datetime.now(UTC)
        for number, entry in enumerate(entries):
            said = find(entry, self.cursor.path)
            if said is None or self.cursor.read(said, now) is None:
                raise PydanticCustomError(
                    "mapping_test",
                    "entry {number} of the example says no place that can be read at {path}: {said}",
                    {"number": number, "path": self.cursor.path, "said": str(said)[:80]},
                )
        following = self.following(shown.page)
        if following != shown.following:
            raise PydanticCustomError(
                "mapping_test",
                "after the example's page comes {wanted}, and {found} is found",
                {"wanted": shown.following or "nothing", "found": following or "nothing"},
            )
        return self

    def following(self, page: Any) -> str | None:
        """Word of a first page on the one that comes next, as it says it; None after the last."""
        pages = self.pages
        if pages is None:
            return None
        if pages.next is not None:
            return find(page, pages.next)
        said = find(page, pages.of) if pages.of is not None else None
        if pages.of is None:
            return str(pages.first + 1) if subtrees(page, self.rows) else None
        return str(pages.first + 1) if said is not None and _NUMBER.fullmatch(said) and int(said) > 1 else None

    def identity(self) -> str:
        """Name of the list, by what a bookmark in it means; overlap, start and meanings may change."""
        pages = self.pages.model_dump(mode="json") if self.pages is not None else None
        cursor = {"type": self.cursor.type, "path": self.cursor.path, "date": getattr(self.cursor, "date", None)}
        told = json.dumps([self.url, self.rows, cursor, pages, self.document], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _whole(self) -> ChangesSection:
        if "{cursor}" not in self.url:
            raise PydanticCustomError("changes", "the URL has no {cursor}: each visit would read everything")
        if self.document is not None and self.means is not None:
            raise PydanticCustomError("changes", "document or means, one of them: which message, or what is said of it")
        numbered = self.pages is not None and self.pages.next is None
        if ("{page}" in self.url) != numbered:
            raise PydanticCustomError("changes", "{page} in the URL and numbered pages belong together")
        return self


class _Mark(Frozen):
    """Bookmark. ``seen``: the farthest place of all readings that came to their end; of one that did not, ``since``:
    what was asked for, ``at``: the page that comes next, ``farthest`` and ``pages`` so far, ``asked``: documents that
    were asked for. ``of``: the list that it was made in; of another one it is none.
    """

    of: str
    seen: str | None = None
    since: str | None = None
    at: str | None = None
    farthest: str | None = None
    pages: int = 0
    asked: tuple[str, ...] = ()


def _mark_of(text: str | None, of: str) -> _Mark:
    """A bookmark; one that cannot be read, or of another list, is none: all is read again, what was known is known."""
    try:
        mark = _Mark(of=of) if text is None else _Mark.model_validate_json(text, strict=False)
    except ValidationError:
        return _Mark(of=of)
    return mark if mark.of == of else _Mark(of=of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Means that a session lends. ``get``: one call; ``ask``: the question what became of a delivery; ``enclose``: the
    statement with its files, which are put into the sink; ``failed``: keep the last answer for people, for the reading
    goes on after it.
    """

    get: Callable[[str, float], HttpAnswer]
    ask: Callable[[Delivery, float], Outcome]
    enclose: Callable[[ReportedStatus, tuple[SaidFile, ...], Delivery, str, float], ReportedStatus]
    failed: Callable[[], None]


class ChangesReader:
    """One visit."""

    def __init__(
        self, section: ChangesSection, means: AnswerMapping | None, reading: Reading, sink: ListSink, until: float
    ) -> None:
        """``means``: what an entry says; None = only which message has changed."""
        self._s = section
        self._means = means
        self._reading = reading
        self._sink = sink
        self._until = until
        self._now = datetime.now(UTC)
        self._handed = 0
        self._failed: DeliveryError | None = None
        self._first: HttpAnswer | None = None
        self._asked_for: list[str] = []
        self._cut = False

    def read(self) -> int:
        """How many statements were handed over. Raises ``DeliveryError``, ``Unavailable``."""
        mark, ended = self._again(_mark_of(self._sink.bookmark(), self._s.identity())), False
        while not ended:
            mark, ended = self._page(self._begun(mark))
            if self._failed is None:
                self._sink.save_bookmark(mark.model_dump_json(exclude_none=True))
            ended = ended or self._left() < _LEAST_SECS
        if self._failed is not None:
            raise self._failed
        return self._handed

    def _begun(self, mark: _Mark) -> _Mark:
        if mark.since is not None:
            return mark
        since = self._s.cursor.asked(mark.seen, self._now)
        return _Mark(of=mark.of, seen=mark.seen, since=since, farthest=mark.seen)

    def _again(self, mark: _Mark) -> _Mark:
        """The bookmark, if the page that it names can still be had; else the reading begins anew. Such pages expire."""
        if mark.at is None:
            return mark
        try:
            self._first = self._reading.get(self._url(mark), max(self._left(), 0.1))
        except (ConfigurationError, InvalidInput, PermanentFailure):
            return _Mark(of=mark.of, seen=mark.seen)
        return _Mark(of=mark.of, seen=mark.seen) if self._first.status in _EXPIRED else mark

    def _left(self) -> float:
        return self._until - time.monotonic()

    def _page(self, mark: _Mark) -> tuple[_Mark, bool]:
        url = self._url(mark)
        first, self._first = self._first, None
        again = first is not None and mark.at is not None
        answer = first if first is not None and again else self._reading.get(url, max(self._left(), 0.1))
        tree = _tree(answer)
        entries = [] if tree is None else subtrees(tree, self._s.rows)
        if tree is not None and not is_list(tree, self._s.rows):
            raise _failed("changes.no_list", f"There is no list at {self._s.rows or 'the root'} of the answer.", answer)
        self._asked_for = list(mark.asked)
        places = [self._entry(entry, url) for entry in entries]
        placed = [(each, entry) for each, entry in zip(places, entries, strict=True) if each is not None]
        known = self._believed(mark, placed)
        if entries and not placed:
            raise _failed("changes.cursor", f"No entry says its place in the list at {self._s.cursor.path}.", answer)
        farthest = max([*known, int(mark.farthest)] if mark.farthest else known, default=None)
        asked = tuple(dict.fromkeys(self._asked_for))
        mark = mark.model_copy(update={"farthest": None if farthest is None else str(farthest), "asked": asked})
        if self._cut:  # the time ended within the page: it comes once more, without what was asked for
            return mark, True
        following = None if tree is None else self._following(mark, tree, len(entries), url)
        if following is None:
            return _Mark(of=mark.of, seen=mark.farthest), True
        if following == mark.at or mark.pages + 1 >= MAX_PAGES:
            raise _failed("changes.endless", "The list of changes does not come to an end.", answer)
        return mark.model_copy(update={"at": following, "pages": mark.pages + 1}), False

    def _url(self, mark: _Mark) -> str:
        pages, at = self._s.pages, mark.at
        if pages is not None and pages.next is not None and at is not None:
            here = self._filled(self._s.url, mark, None)
            return self._at_home(here, at) if pages.token_url is None else self._filled(pages.token_url, mark, at)
        return self._filled(self._s.url, mark, at)

    def _filled(self, template: str, mark: _Mark, at: str | None) -> str:
        first = self._s.pages.first if self._s.pages is not None else 1
        filled = template.replace("{cursor}", quote(mark.since or "", safe=""))
        filled = filled.replace("{page}", quote(at or str(first), safe=""))
        return filled.replace("{token}", quote(at or "", safe=""))

    def _following(self, mark: _Mark, tree: Any, count: int, url: str) -> str | None:
        """The page that comes next; None after the last."""
        pages = self._s.pages
        if pages is None:
            return None
        if pages.next is not None:
            said = find(tree, pages.next)
            return said if said is None or pages.token_url is not None else self._at_home(url, said)
        page = int(mark.at) if mark.at is not None and mark.at.isdecimal() else pages.first
        if pages.of is None:
            return str(page + 1) if count else None
        said = find(tree, pages.of)
        if said is None or not _NUMBER.fullmatch(said):
            raise TemporaryFailure(
                f"The answer does not say at {pages.of} how many pages there are.", code="changes.pages"
            )
        return str(page + 1) if page - pages.first + 1 < int(said) else None

    def _at_home(self, here: str, said: str) -> str:
        """The following page's address, if it is of the list's own origin: credentials go nowhere else."""
        try:
            url = urljoin(here, said)
            if origins([url]) == origins([here]):
                return url
        except (ConfigurationError, ValueError):  # no address at all is none of the list's
            pass
        words = "The answer names a following page that is not where the list is."
        raise TemporaryFailure(words, code="changes.elsewhere")

    def _entry(self, entry: Any, url: str) -> int | None:
        """Hand over what an entry says; its place in the list, None if it names none."""
        raw = _raw(entry)
        try:
            with contained("change"):
                self._hand_over(entry, raw, url)
        except DeliveryError as failure:  # it is come back to; the other entries do not wait for it
            if self._failed is None:
                self._failed = failure
                self._reading.failed()
        except ItemFailed as failure:
            self._sink.held(raw, verdict=failure.stable_code, detail=failure.message)
        said = find(entry, self._s.cursor.path)
        return None if said is None else self._s.cursor.read(said, self._now)

    def _believed(self, mark: _Mark, places: list[tuple[int, Any]]) -> list[int]:
        """Places of a page that may be the list's end; an entry that leaps ahead of all before it goes to a person."""
        before = int(mark.farthest) if mark.farthest else min((place for place, _ in places), default=0)
        believed = []
        for place, entry in sorted(places, key=lambda each: each[0]):
            if self._s.cursor.is_leap(place, before):
                detail = f"its place {place} is too far ahead of {before}: the list is read on from there (cursor.leap)"
                self._sink.held(_raw(entry), verdict="changes.leap", detail=detail)
            else:
                before = place
                believed.append(place)
        return believed

    def _hand_over(self, entry: Any, raw: RawInbound, url: str) -> None:
        rules = self._means
        if rules is None:
            self._asked(find(entry, self._s.document or ""), raw)
            return
        said = maps.meaning(rules, partial(find, entry), partial(rows, entry))
        delivery = self._about(said.echo, said.external_id)
        if delivery is None:
            self._other(raw)
            return
        if twice := foreign_json.unread_names(entry):
            told = tuple(not_understood(name, "it cannot be read, or is told twice") for name in twice)
            said = replace(said, unclear=(*said.unclear, *told))
        outcome = read_poll_outcome(said, rules, Heard(raw=raw, http_status=None, codes=CODES), delivery)
        self._tell(outcome, delivery, said.files, url, raw)

    def _asked(self, document: str | None, raw: RawInbound) -> None:
        delivery = self._about(None, document)
        if delivery is None:
            self._other(raw)
            return
        if document in self._asked_for:
            return
        if self._left() < _LEAST_SECS:
            self._cut = True
            return
        outcome = self._reading.ask(delivery, max(self._left(), 0.1))
        if outcome.http_status in _REFUSED:
            detail = f"a message of ours has changed, and what became of it is answered with {outcome.http_status}"
            verdict = outcome.code or CODES.unreadable
            self._sink.held(raw, verdict=verdict, about=delivery.message_id, detail=detail)
        elif outcome.kind is OutcomeKind.TEMPORARY and not outcome.unread:
            raise TemporaryFailure(
                "What became of a message that has changed could not be asked.",
                code=outcome.code,
                http_status=outcome.http_status,
                retry_after=outcome.retry_after,
            )
        else:
            self._tell(outcome, delivery, (), "", raw)
        self._asked_for.append(document or "")

    def _about(self, echo: str | None, external_id: str | None) -> Delivery | None:
        """The delivery that an entry names: by our id, else by theirs."""
        try:
            ours = self._sink.find(message_id=MessageId(UUID(echo))) if echo else None
        except ValueError:
            ours = None
        return ours or self._known(external_id)

    def _known(self, external_id: str | None) -> Delivery | None:
        return None if external_id is None else self._sink.find(external_id=external_id)

    def _other(self, raw: RawInbound) -> None:
        if self._s.others == "hold":
            detail = "an entry of the list of changes names no message of ours"
            self._sink.held(raw, verdict="changes.unknown", detail=detail)

    def _tell(
        self, outcome: Outcome, delivery: Delivery, files: tuple[SaidFile, ...], url: str, raw: RawInbound
    ) -> None:
        if outcome.kind is OutcomeKind.PERMANENT:  # a system in between gave up
            detail = outcome.detail or "the list of changes says that the message could not be handed over"
            verdict = outcome.code or "changes.permanent"
            self._sink.held(raw, verdict=verdict, about=delivery.message_id, detail=detail)
        elif outcome.proves is LegalClass.DELIVERED:
            outcome = replace(outcome, reported=(_has_it(delivery, raw),))
        for unread in outcome.unread:
            detail = "an entry of the list of changes that cannot be understood"
            self._sink.held(unread, verdict=outcome.code or CODES.unreadable, about=delivery.message_id, detail=detail)
        for reported in outcome.reported:
            if self._sink.knows(reported, delivery):
                continue
            self._handed += 1
            told = self._reading.enclose(reported, files, delivery, url, self._until)
            try:
                self._sink.reported(told)
            except Unavailable:
                raise
            except HubError as refusal:
                if not refusal.journalled:
                    raise


def _tree(answer: HttpAnswer) -> Any:
    """The document of an answer; None if it says that nothing changed."""
    if answer.status in _NOTHING:
        return None
    if answer.status != 200:
        raise _failed(f"changes.http_{answer.status}", f"The list of changes is answered with {answer.status}.", answer)
    try:
        return foreign_json.parse(answer.body, charset_of(answer))
    except InvalidInput:
        raise _failed("changes.unreadable", "The list of changes is no JSON.", answer) from None


def _failed(code: str, message: str, answer: HttpAnswer) -> TemporaryFailure:
    wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
    return TemporaryFailure(message, code=code, http_status=answer.status, retry_after=wait)


def _raw(entry: Any) -> RawInbound:
    """One entry of the list, its numbers as they were written."""
    return RawInbound(content_type=_JSON, body=foreign_json.dump(entry).encode("utf-8", "replace"))


def _has_it(delivery: Delivery, raw: RawInbound) -> ReportedStatus:
    """The statement that the addressee's side has it; the list does not say since when."""
    return ReportedStatus(
        raw=raw,
        said_id=f"{delivery.message_id}:received",
        body=ReceiptBody(status=ReceiptStatus.DELIVERED, at=delivery.created_at),
        at=delivery.created_at,
        in_reply_to=delivery.message_id,
        reaches=LegalClass.DELIVERED,
        dated=Dating.NONE,
    )
