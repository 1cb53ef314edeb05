"""Statements of bodies as people give them: in a call, at a terminal."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ConfigDict, ValidationError

from hub.errors import Fault, InvalidInput
from hub.schemas import faults
from hub.schemas.base import Frozen
from hub.schemas.envelope import (
    AnswerBody,
    AuthorityBody,
    ClarificationBody,
    ExtensionBody,
    PublicationBody,
    ReceiptBody,
    RedirectBody,
)

BODIES: dict[str, type[AuthorityBody]] = {
    "receipt": ReceiptBody,
    "answer": AnswerBody,
    "redirect": RedirectBody,
    "extension": ExtensionBody,
    "clarification": ClarificationBody,
    "publication": PublicationBody,
}
WORDLESS = "(Без тексту: дивіться додатки.)"


class GivenStatement(Frozen):
    """What a body said: exactly one of these, as in an envelope. `at` may be left out (when it came), and an answer's
    `text` (the words of the input).
    """

    model_config = ConfigDict(extra="forbid")

    receipt: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    redirect: dict[str, Any] | None = None
    extension: dict[str, Any] | None = None
    clarification: dict[str, Any] | None = None
    publication: dict[str, Any] | None = None

    def body(self, *, at: str, text: str) -> AuthorityBody:
        """The statement, checked. ``InvalidInput`` names every fault."""
        given = {name: value for name in BODIES if (value := getattr(self, name)) is not None}
        if len(given) != 1:
            wrong = Fault(
                pointer="/statement",
                code="statement.kind",
                message=f"must have exactly one of {', '.join(BODIES)}",
            )
            raise InvalidInput("It is not clear what the body said.", code=wrong.code, faults=[wrong])
        ((name, value),) = given.items()
        filled = {"at": at, **value}
        if name == "answer":
            filled = {"text": text.strip() or WORDLESS, **filled}
        try:
            return BODIES[name].model_validate_json(json.dumps(filled))
        except ValidationError as error:
            found = [
                Fault(pointer=f"/statement/{name}{fault.pointer}", code=fault.code, message=fault.message)
                for fault in faults.faults_of(error)
            ]
            raise InvalidInput("The statement breaks the rules.", faults=found) from None
