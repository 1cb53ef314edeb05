"""What a player tells: the facts only, with names in place of ids, ports and folders that are new each time."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from hub.errors import HubError
from hub.ports import Outcome, RawInbound, ReportedStatus

_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_SECS = re.compile(r"\bin \d+\.\d s\b")
_PORT = re.compile(r"\b(127\.0\.0\.1|localhost):\d+")


def settled(lines: Iterable[str], *folders: Path, **known: str) -> str:
    """Lines as one text: folders, ports and ids get names; the same id has the same name everywhere.

    ``known``: what else is new each time, by the name that it gets.
    """
    text = "\n".join(lines)
    for name, value in (*known.items(), *(("FOLDER", str(folder)) for folder in folders)):
        text = text.replace(value, name)
    text = _SECS.sub("in SOME s", _PORT.sub(r"\1:PORT", text))
    names: dict[str, str] = {}
    return _ID.sub(lambda found: names.setdefault(found[0].lower(), f"ID{len(names) + 1}"), text) + "\n"


def error(failure: Exception) -> str:
    """An error of the hub by its code, of pydantic by its words, any other by its class: those are faults of ours."""
    if isinstance(failure, HubError):
        return f"error {failure.retry} {failure}"
    if isinstance(failure, ValidationError):
        faults = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in failure.errors(include_url=False))
        return "refused: " + "; ".join(faults)
    return f"RAISED {type(failure).__name__}: {failure}"


class _Log(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        if code := getattr(record, "code", None):
            self._lines.append(f"log {record.levelname.lower()}: {record.getMessage()}, {code}")


@contextmanager
def logged() -> Iterator[list[str]]:
    """What the hub writes into its log meanwhile about what went wrong: the lines that bear a code."""
    lines: list[str] = []
    handler = _Log(lines)
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)


def spoken_body(body: object) -> str:
    """A receipt, an answer or another statement in one line."""
    named = ("status", "stage", "result", "number", "date", "ground", "text", "note")
    facts = (f"{name}={value!r}" for name in named if (value := _plain(getattr(body, name, None))) is not None)
    kind = "receipt" if hasattr(body, "status") else "answer" if hasattr(body, "stage") else "statement"
    return " ".join((kind, *facts))


def _plain(value: object) -> object:
    return value if value is None or type(value) is str else str(value)


def spoken(piece: ReportedStatus | RawInbound) -> str:
    """What the other side said about a message."""
    if isinstance(piece, RawInbound):
        return f"receipt {piece.content_type} {piece.body[:60]!r}"
    return spoken_body(piece.body) + (f" unclear={piece.unclear!r}" if piece.unclear else "")


def outcome(ended: Outcome) -> list[str]:
    """How an attempt ended, and what came with it."""
    facts = {
        "code": ended.code,
        "http": ended.http_status,
        "id": ended.external_id,
        "ground": ended.ground,
        "proves": ended.proves,
        "wait": ended.retry_after,
        "stops_lane": ended.stops_lane or None,
    }
    told = [str(ended.kind), *(f"{name}={value}" for name, value in facts.items() if value is not None)]
    lines = [" ".join(told)]
    if ended.detail:
        lines.append("  detail: " + ended.detail.replace("\n", "\n    "))
    lines += [f"  said: {spoken(piece)}" for piece in ended.reported]
    return lines + [f"  said: {spoken(piece)}" for piece in ended.receipts]
