"""``hub find``: cases by whatever a person has at hand."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterator

import click

from hub.bootstrap import Hub, build
from hub.cli.auditing import audited
from hub.cli.output import emit, home_option, json_option, table
from hub.errors import InvalidInput, NotFound
from hub.following.finding import FinderKind, plain_phone
from hub.ports import CaseFilter
from hub.schemas.case_number import read_case_number
from hub.schemas.delivery import CaseRow
from hub.schemas.ids import CaseId, MessageId
from hub.settings import load

_CODE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
_SEVERAL = 10
_BY_APPLICANT = frozenset({"e-mail", "phone", "name", "failure"})
_PHONE = re.compile(r"[+\d() -]{7,40}")


@click.command("find")
@click.argument("words")
@click.option("--limit", default=20, type=click.IntRange(1, 200), show_default=True)
@home_option
@json_option
def find(words: str, limit: int, home: str | None, as_json: bool) -> None:
    """Find cases by WORDS: an id, a number of ours or theirs, their system's id, a code of failure, or the applicant's
    name, phone or e-mail.
    """
    hub = build(load(home=home))
    try:
        audited(hub, "hub find")
        found = _found(hub, unicodedata.normalize("NFC", words).strip(), limit)
    finally:
        hub.close()
    shown = [
        {
            "case": row.case.id,
            "case_number": row.case.case_number,
            "state": row.state,
            "authority": row.authority,
            "number": row.number,
            "reference": row.case.reference,
            "by": by,
        }
        for row, by in found
    ]
    head = ("case", "case_number", "state", "authority", "number", "reference", "by")
    emit(shown, as_json=as_json, lines=table(head, [[line[name] for name in head] for line in shown]))


def by_number(hub: Hub, words: str) -> CaseRow:
    """The one case with an id or a number, ours or theirs. ``NotFound``; ``InvalidInput`` (``case.ambiguous``)"""
    said = unicodedata.normalize("NFC", words).strip()
    found = [row for row, by in _found(hub, said, _SEVERAL) if by not in _BY_APPLICANT]
    if not found:
        raise NotFound("No case has this id or number.", code="case.unknown")
    if len(found) > 1:
        told = ", ".join(f"{row.case.id} ({row.case.owner})" for row in found)
        raise InvalidInput(
            f"Several cases have this number: {told}.",
            code="case.ambiguous",
            action="Give the id of the one that you mean.",
        )
    return found[0]


def _found(hub: Hub, words: str, limit: int) -> list[tuple[CaseRow, str]]:
    found: dict[CaseId, tuple[CaseRow, str]] = {}
    named = _id(words)
    row = hub.store.case(CaseId(named)) if named is not None else None
    if row is not None:
        found[row.case.id] = (row, "case")
    for by, where in _ways(hub, words):
        for row in hub.store.cases(where, after=None, limit=limit, newest=True):
            found.setdefault(row.case.id, (row, by))
    return list(found.values())[:limit]


def _id(words: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(words)
    except ValueError:
        return None


def _as_number(words: str) -> Iterator[tuple[str, CaseFilter]]:
    try:
        yield "number", CaseFilter(case_number=read_case_number(words))
    except InvalidInput:
        return  # they are something else


def _ways(hub: Hub, words: str) -> Iterator[tuple[str, CaseFilter]]:
    """Ways in which the words may name a case, the surest first."""
    finders, named = hub.following.finders, _id(words)
    if named is not None:
        yield "message", CaseFilter(message_id=MessageId(named))
    yield from _as_number(words)
    yield "reference", CaseFilter(reference=words)
    yield "their number", CaseFilter(registered=words)
    yield "their id", CaseFilter(external_id=words)
    if _CODE.fullmatch(words):
        yield "failure", CaseFilter(failed=words)
    if "@" in words:
        yield "e-mail", CaseFilter(finders=(finders.token(FinderKind.EMAIL, words),))
    elif _PHONE.fullmatch(words) and plain_phone(words):
        yield "phone", CaseFilter(finders=(finders.token(FinderKind.PHONE, words),))
    elif any(c.isalpha() for c in words):
        yield "name", CaseFilter(finders=(finders.token(FinderKind.NAME, words),))
