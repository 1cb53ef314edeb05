"""Finding a case by what a person has at hand: its number, its id, or the id of one of its messages."""

from __future__ import annotations

import uuid

import click

from hub.errors import Fault, InvalidInput, NotFound
from hub.ports import CaseFilter, Store
from hub.schemas.case_number import read_case_number
from hub.schemas.delivery import CaseRow
from hub.schemas.ids import CaseId, MessageId


class CaseReference(click.ParamType[uuid.UUID | str]):
    """A case id, a message id, or the number of a case, however its blanks and dashes are written."""

    name = "case"

    def convert(
        self, value: uuid.UUID | str, param: click.Parameter | None, ctx: click.Context | None
    ) -> uuid.UUID | str:
        """The id, or the number as it is kept."""
        if isinstance(value, uuid.UUID):
            return value
        try:
            return uuid.UUID(value)
        except ValueError:
            try:
                return read_case_number(value)
            except InvalidInput as wrong:
                self.fail(f"{wrong.faults[0].message}; and it is no id.", param, ctx)


def find_case(store: Store, said: uuid.UUID | str) -> CaseRow:
    """The case. ``NotFound``; ``InvalidInput`` (``case.ambiguous``) for a number that cases of several centres have."""
    if isinstance(said, uuid.UUID):
        message = store.message(MessageId(said))
        row = store.case(message.case_id if message else CaseId(said))
    else:
        found = store.cases(CaseFilter(case_number=said), after=None, limit=10)
        if len(found) > 1:
            told = ", ".join(f"{each.case.id} ({each.case.owner})" for each in found)
            raise InvalidInput(
                f"Cases of several centres have this number: {told}.",
                code="case.ambiguous",
                faults=[Fault(pointer="", code="case.ambiguous", message="names several cases")],
                action="Give the id of the one that you mean.",
            )
        row = found[0] if found else None
    if row is None:
        raise NotFound("Neither a case nor a message has this id or number.", code="case.unknown")
    return row
