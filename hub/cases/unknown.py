"""Unknown values of an appeal: topics, places and bodies that the registry does not have, with the nearest that it has;
and days that have not come yet. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from difflib import get_close_matches

from hub.errors import Fault
from hub.ports import Directory
from hub.schemas.envelope import AppealForm

NEAREST = 3
"""How many known values a fault names at most."""
_CLOSE = 0.5
SKEW = timedelta(minutes=5)
"""How far the clock of a front end may be ahead of the hub's."""


def unknown_values(form: AppealForm, directory: Directory) -> Iterator[Fault]:
    """Find what the registry does not know. One without topics knows none to choose from, and asks for none."""
    if any(True for _ in directory.topics()):
        for index, topic in enumerate(form.topics):
            if directory.topic(topic) is None:
                known = {each.code: each.name for each in directory.topics()}
                yield _fault(f"/topics/{index}", "topic.unknown", "topic", topic, known)
    if form.place is not None and not directory.ancestry(form.place):
        units = {unit.code: unit.name for unit in directory.units() if unit.code[:4] == form.place[:4]}
        yield _fault("/place", "place.unknown", "place of the codifier", form.place, units)
    asked = form.addressee.code if form.addressee is not None else None
    if asked is not None and directory.authority(asked) is None:
        yield _fault("/addressee/code", "authority.unknown", "body", asked, _bodies(directory))
    for index, code in enumerate(form.about):
        if directory.authority(code) is None:
            yield _fault(f"/about/{index}", "authority.unknown", "body", code, _bodies(directory))


def future_days(form: AppealForm, now: datetime) -> Iterator[Fault]:
    """Moments that have not come yet."""
    if form.received_at > now + SKEW:
        yield Fault(pointer="/received_at", code="received_at.future", message="lies in the future")


def _bodies(directory: Directory) -> dict[str, str]:
    return {body.code: body.short_name or body.name for body in directory.authorities()}


def _fault(pointer: str, code: str, what: str, value: str, known: dict[str, str]) -> Fault:
    near = _nearest(value, known)
    told = "; ".join(f"{each} ({known[each][:80]})" for each in near)
    message = f"is no {what} of the registry" + (f"; the nearest are {told}" if told else "")
    return Fault(pointer=pointer, code=code, message=message)


def _nearest(value: str, known: Iterable[str]) -> list[str]:
    return get_close_matches(value, list(known), n=NEAREST, cutoff=_CLOSE)
