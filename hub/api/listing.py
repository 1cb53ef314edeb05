"""Filters of the lists of cases, shared by the list, its counts and its CSV."""

from __future__ import annotations

import csv
import io
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from hub.api.auth import CallerRole, Principal
from hub.api.dependencies import (
    Dependencies,
    TheCaller,
    TheDependencies,
    dependencies_of,
    problems,
    refuse_filters_of_others,
    show,
)
from hub.api.threads import run_in_thread
from hub.api.views import CasesView, CaseView, CountsView
from hub.errors import Fault, InvalidInput
from hub.following.finding import FinderKind
from hub.ports import CaseFilter, CaseGrouping
from hub.schemas.case_number import read_case_number
from hub.schemas.delivery import CaseRow
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.kyiv import KYIV
from hub.tracking.share import own_part

router = APIRouter(tags=["cases"])

UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
CASE_CURSOR = r"^0[0-9]{14}\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
DAY = r"^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}$"
TERRITORY = r"^UA([0-9]{17})?$"
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
DayFrom = Annotated[str | None, Query(alias="from", pattern=DAY, description="First Kyiv day of arrival.")]
DayTo = Annotated[str | None, Query(alias="to", pattern=DAY, description="Last Kyiv day of arrival.")]
Territory = Annotated[
    str | None, Query(pattern=TERRITORY, description="Code of the codifier, with everything below it.")
]
Topic = Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", description="First topic of the appeal.")]
Authority = Annotated[str | None, Query(pattern=r"^[0-9]{8,10}$", description="Sent to this body.")]
NOT_FOR_BODIES = frozenset(
    {
        *("applicant", "phone", "email", "registered", "message", "external", "code"),
        *("needs_operator", "reference", "number", "authority", "group"),
    }
)
"""Filters by what a body does not see of a case."""
EXPORT_PAGE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may take for a formula (OWASP, CSV Injection), full-width forms included."""


def day(text: str | None, name: str) -> date | None:
    """A day of a parameter; ``InvalidInput`` for one that does not exist."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fault = Fault(pointer=f"query/{name}", code="parameter.day", message="is not a day that exists")
        raise InvalidInput("Parameters of the call break the rules.", code="input.parameters", faults=[fault]) from None


def midnight(of: date) -> datetime:
    """The first moment of a Kyiv day."""
    return datetime.combine(of, time(), KYIV)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sought:
    """Words that people have at hand of a case."""

    finders: tuple[str, ...]
    registered: str | None
    message_id: MessageId | None
    external_id: str | None
    failed: str | None


def _sought(
    request: Request,
    applicant: Annotated[
        str | None, Query(min_length=2, max_length=300, description="Name: surname, or surname and given name.")
    ] = None,
    phone: Annotated[str | None, Query(min_length=7, max_length=40, description="The applicant's phone.")] = None,
    email: Annotated[str | None, Query(min_length=3, max_length=320, description="The applicant's e-mail.")] = None,
    registered: Annotated[
        str | None, Query(min_length=1, max_length=100, description="Number under which a body registered it.")
    ] = None,
    message: Annotated[str | None, Query(pattern=UUID_PATTERN, description="Id of a message or a delivery.")] = None,
    external: Annotated[
        str | None, Query(min_length=1, max_length=200, description="Another system's id of what went out.")
    ] = None,
    code: Annotated[
        str | None, Query(pattern=r"^[a-z0-9_.]{1,64}$", description="A delivery failed with it, and is not delivered.")
    ] = None,
) -> _Sought:
    """Words of a search; names, phones and addresses become keyed hashes at once."""
    finders = dependencies_of(request).hub.following.finders
    given = ((FinderKind.NAME, applicant), (FinderKind.PHONE, phone), (FinderKind.EMAIL, email))
    return _Sought(
        finders=tuple(finders.token(kind, text) for kind, text in given if text is not None),
        registered=typed(registered),
        message_id=MessageId(uuid.UUID(message)) if message else None,
        external_id=typed(external),
        failed=code,
    )


def typed(text: str | None) -> str | None:
    """A word as people type it: NFC, without blanks at its edges."""
    return None if text is None else unicodedata.normalize("NFC", text).strip()


def _filter(
    request: Request,
    principal: TheCaller,
    sought: Annotated[_Sought, Depends(_sought)],
    state: Annotated[str | None, Query(pattern=r"^[a-z_]{1,40}$", description="Only cases in this state.")] = None,
    needs_operator: Annotated[bool | None, Query(description="Only cases that do, or do not, wait.")] = None,
    reference: Annotated[
        str | None, Query(min_length=1, max_length=100, description="The contact centre's own number.")
    ] = None,
    number: Annotated[
        str | None,
        Query(min_length=1, max_length=100, description="The case's number; blanks and dashes do not matter."),
    ] = None,
    overdue: Annotated[
        Literal["true"] | None, Query(description="Only unfinished cases whose term has run out.")
    ] = None,
    authority: Authority = None,
    territory: Territory = None,
    topic: Topic = None,
    kind: Annotated[str | None, Query(pattern=r"^[a-z]{1,20}$", description="Kind of appeal.")] = None,
    channel: Annotated[str | None, Query(pattern=r"^[a-z_]{1,20}$", description="How the citizen came.")] = None,
    group: Annotated[str | None, Query(pattern=UUID_PATTERN, description="Members of this campaign.")] = None,
    day_from: DayFrom = None,
    day_to: DayTo = None,
) -> CaseFilter:
    """The filter of a call, bounded to what the caller may see."""
    refuse_filters_of_others(request, principal, NOT_FOR_BODIES)
    first, last = day(day_from, "from"), day(day_to, "to")
    return CaseFilter(
        owner=principal.owner,
        sent_to=principal.body,
        authority=authority,
        state=state,
        needs_operator=needs_operator,
        reference=typed(reference),
        registered=sought.registered,
        finders=sought.finders,
        message_id=sought.message_id,
        external_id=sought.external_id,
        failed=sought.failed,
        case_number=read_case_number(number) if number is not None else None,
        topic=topic,
        territory=territory,
        kind=kind,
        channel=channel,
        created_from=midnight(first) if first else None,
        created_to=midnight(last + timedelta(days=1)) if last else None,
        overdue_at=dependencies_of(request).hub.clock.now() if overdue else None,
        group=CaseId(uuid.UUID(group)) if group else None,
    )


Filter = Annotated[CaseFilter, Depends(_filter)]


def views(deps: Dependencies, rows: Sequence[CaseRow], principal: Principal) -> tuple[CaseView, ...]:
    """Cases as the caller may see them."""
    if principal.role is not CallerRole.AUTHORITY:
        return tuple(CaseView.of(row) for row in rows)
    facts = deps.hub.store.facts_of([row.case.id for row in rows]) if rows else {}
    parts = ((row, own_part(row.case.channel, facts[row.case.id], principal.party, deps.hub.law)) for row in rows)
    return tuple(CaseView.of(row).for_authority(principal.party, part) for row, part in parts)


@router.get(
    "/v1/cases",
    response_model=CasesView,
    responses=problems(401, 403, 422, 500, 503),
    summary="List cases",
)
async def list_cases(
    principal: TheCaller,
    deps: TheDependencies,
    where: Filter,
    after: Annotated[str | None, Query(pattern=CASE_CURSOR, description="The cursor of the page before.")] = None,
    limit: Limit = 50,
    order: Annotated[Literal["oldest", "newest"], Query(description="Which come first.")] = "oldest",
) -> Response:
    """Cases that concern the caller, in order of arrival. All filters given must hold. An authority filters by `state`,
    `overdue`, `territory`, `topic`, `kind`, `channel` and days; the other filters are refused (`parameter.role`), for
    it does not see what they name.
    """
    return show(await run_in_thread(_page, deps, principal, where, after, limit, order == "newest"))


def _page(
    deps: Dependencies, principal: Principal, where: CaseFilter, after: str | None, limit: int, newest: bool
) -> CasesView:
    rows = deps.hub.store.cases(where, after=after, limit=limit, newest=newest)
    return CasesView(cases=views(deps, rows, principal), cursor=rows[-1].cursor if len(rows) == limit else None)


@router.get(
    "/v1/cases/counts",
    response_model=CountsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="Count cases",
)
async def count_cases(
    deps: TheDependencies,
    where: Filter,
    by: Annotated[CaseGrouping, Query(description="What they are counted by.")] = CaseGrouping.STATE,
) -> Response:
    """How many cases the same filters would list, by one of their members. `territory` counts by oblast or city with
    special status: the first four characters of the code; what has no value counts under the empty text. A body counts
    its own part: the states of its own consideration, as known some seconds ago.
    """
    counted = await run_in_thread(deps.hub.store.count_cases, where, by)
    return show(CountsView(by=by, total=sum(counted.values()), counts=dict(sorted(counted.items()))))


def cell(value: object) -> str:
    """A value as a spreadsheet may show it: what would be a formula gets an apostrophe in front."""
    if value is None:
        return ""
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(deps: Dependencies, where: CaseFilter, principal: Principal, newest: bool) -> Iterator[bytes]:
    """Lines of the table, page by page: however many cases there are, no more than one page is in memory."""
    names = tuple(CaseView.model_fields)
    yield b"\xef\xbb\xbf" + line(names)
    after: str | None = None
    while True:
        rows = deps.hub.store.cases(where, after=after, limit=EXPORT_PAGE, newest=newest)
        yield b"".join(line(cell(getattr(one, name)) for name in names) for one in views(deps, rows, principal))
        if len(rows) < EXPORT_PAGE:
            return
        after = rows[-1].cursor


def line(cells: Iterable[str]) -> bytes:
    """One line of CSV (RFC 4180), in UTF-8."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


CSV_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


def download(lines: Iterator[bytes], name: str) -> Response:
    """A table that is streamed, to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


@router.get(
    "/v1/cases.csv",
    response_class=Response,
    responses={**CSV_ANSWER, **problems(401, 403, 422, 500, 503)},
    summary="Export cases",
)
async def export_cases(
    principal: TheCaller,
    deps: TheDependencies,
    where: Filter,
    order: Annotated[Literal["oldest", "newest"], Query(description="Which come first.")] = "oldest",
) -> Response:
    """All cases of the filters as CSV with a header line, streamed; cells that a spreadsheet would take for a formula
    begin with an apostrophe.
    """
    return download(_csv(deps, where, principal, order == "newest"), "cases.csv")
