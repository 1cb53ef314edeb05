"""Structured logs: one JSON object a line, on standard error.

Only fields named here are written: ids, codes, counts. A log line can therefore not carry a name, a text or a secret by
accident. Of an exception it shows types and places, never its message, which may quote data.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from hub.schemas.base import format_datetime

FIELDS = (
    "case",
    "message_id",
    "delivery",
    "channel",
    "authority",
    "code",
    "error",
    "sent",
    "polled",
    "outcomes",
    "method",
    "route",
    "status",
    "millis",
    "principal",
    "incident",
    "version",
    "count",
    "state",
    "duty",
    "secs",
    "what",
    "place",
    "party",
    "act",
    "notes",
    "gone",
    "type",
    "operation",
)


class JsonFormatter(logging.Formatter):
    """Time, level, logger, event, and the fields of ``FIELDS`` that the record has."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, object] = {
            "at": format_datetime(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            # Arguments of foreign loggers may hold anything: of them only the constant part is kept.
            "event": record.getMessage() if record.name.startswith("hub") else str(record.msg)[:500],
        }
        line.update({name: getattr(record, name) for name in FIELDS if hasattr(record, name)})
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _places(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def _places(error: BaseException) -> list[str]:
    chain: list[str] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 50:
        chain.append(type(current).__name__)
        chain += [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(current.__traceback__)[-8:]]
        current = current.__cause__
    return chain


def configure(level: str) -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("urllib3", "celery", "kombu", "amqp", "uvicorn", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
