"""Wording of messages: one document for machines, the same as a letter for people. Pure.

In both stand codes, counts, ids of channels and endpoints, codes of bodies, and links to doors; never a person's data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.alarms.rules import AlarmRule
from hub.alarms.values import Alarm, AlarmMessage, MessageKind
from hub.schemas.base import format_datetime
from hub.schemas.kyiv import KYIV

MOST_NAMED = 100
"""Alarms that one message names in each list; ``counts`` says how many there are."""
LISTS = ("opened", "worse", "closed", "open")
_HEADS = {"opened": "Opened", "worse": "Got worse", "closed": "Closed", "open": "Open now"}
PAGE = "docs/operations/alarms.md"
_TEST = "A test: this receiver hears the hub's alarms. Nothing is wrong, and nothing is to be done."


def entry(alarm: Alarm, rule: AlarmRule | None) -> dict[str, Any]:
    """An alarm as messages and doors show it."""
    return {
        "rule": alarm.rule,
        "subject": alarm.subject or None,
        "severity": alarm.severity.value,
        "value": alarm.value,
        "detail": alarm.words or None,
        "since": format_datetime(alarm.since),
        "opened_at": format_datetime(alarm.opened_at) if alarm.opened_at else None,
        "closed_at": format_datetime(alarm.closed_at) if alarm.closed_at else None,
        "says": rule.says if rule else "The rule is not in the file any more.",
        "door": rule.door if rule else "/v1/ops/alarms",
    }


def document(lists: Mapping[str, Sequence[Alarm]], rules: Mapping[str, AlarmRule]) -> dict[str, Any]:
    """The lists that hold something, and how many each has."""
    made: dict[str, Any] = {"counts": {name: len(found) for name, found in lists.items() if found}}
    for name, found in lists.items():
        if found:
            made[name] = [entry(alarm, rules.get(alarm.rule)) for alarm in found[:MOST_NAMED]]
    return made


def joined(before: str, more: Mapping[str, Any]) -> str:
    """A message that has not gone yet, with what happened since."""
    known: dict[str, Any] = json.loads(before)
    counts = dict(known.get("counts", {}))
    for name, count in more["counts"].items():
        counts[name] = counts.get(name, 0) + count
        known[name] = [*known.get(name, ()), *more[name]][:MOST_NAMED]
    return as_text({**known, "counts": counts})


def as_text(made: Mapping[str, Any]) -> str:
    """The document as it is kept."""
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


def payload(message: AlarmMessage, base_url: str) -> bytes:
    """The body of a webhook, in the shape of the hub's other webhooks: type, timestamp, data."""
    data = {**json.loads(message.body), "hub": base_url}
    made = {"type": f"alarms.{message.kind}", "timestamp": format_datetime(message.made_at), "data": data}
    return as_text(made).encode()


def subject(message: AlarmMessage) -> str:
    """The subject of a letter: what happened and to what, in one line of ASCII."""
    if message.kind is MessageKind.TEST:
        return "[hub] test of alarms"
    known = json.loads(message.body)
    said = ", ".join(f"{known['counts'][name]} {name}" for name in LISTS if name in known["counts"])
    rules = sorted({each["rule"] for name in LISTS for each in known.get(name, ())})
    standing = [each for name in ("opened", "worse", "open") for each in known.get(name, ())]
    critical = any(each["severity"] == "critical" for each in standing)
    more = f" and {len(rules) - 3} more" if len(rules) > 3 else ""
    head = "[hub] CRITICAL" if critical else "[hub]"
    digest = " today" if message.kind is MessageKind.DIGEST else ""
    return f"{head} {said}{digest}: {', '.join(rules[:3])}{more}"


def letter(message: AlarmMessage, base_url: str) -> str:
    """The text of a letter."""
    if message.kind is MessageKind.TEST:
        return f"{_TEST}\n\n{base_url}\n"
    known = json.loads(message.body)
    parts = [line for name in LISTS if name in known for line in _section(name, known, base_url)]
    about = f"The hub at {base_url}, {_clock(message.made_at)}. What to do for each: {PAGE}, by the rule's name."
    return "\n".join([*parts, about, ""])


def _section(name: str, known: Mapping[str, Any], base_url: str) -> Iterable[str]:
    count, shown = known["counts"][name], known[name]
    yield f"{_HEADS[name]}: {count}"
    for each in shown:
        yield f"- {_line(each)}"
        yield f"  {each['says']}"
        yield f"  {base_url}{each['door']}"
    if count > len(shown):
        yield f"- and {count - len(shown)} more: {base_url}/v1/ops/alarms"
    yield ""


def _line(each: Mapping[str, Any]) -> str:
    named = f"{each['severity'].upper()} {each['rule']}" + (f" {each['subject']}" if each["subject"] else "")
    detail = f" ({each['detail']})" if each["detail"] else ""
    began = _clock(datetime.fromisoformat(each["since"]))
    ended = f", ended {_clock(datetime.fromisoformat(each['closed_at']))}" if each["closed_at"] else ""
    return f"{named}: {each['value']}{detail}, since {began}{ended}"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(KYIV):%Y-%m-%d %H:%M} Kyiv"
