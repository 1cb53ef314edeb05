"""Unknown values of an appeal: topics, places and bodies that the registry does not have, with the nearest that it has;
and moments that cannot be. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from difflib import get_close_matches

from hub.errors import Fault
from hub.ports import Directory
from hub.schemas.envelope import AppealForm
from hub.schemas.kyiv import kyiv_day

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


def impossible_moments(form: AppealForm, now: datetime) -> Iterator[Fault]:
    """Moments that have not come yet, and those in an order that cannot be."""
    if form.received_at > now + SKEW:
        yield Fault(pointer="/received_at", code="received_at.future", message="lies in the future")
    for pointer, moment in _moments(form):
        if moment is not None and moment > now + SKEW:
            yield Fault(pointer=pointer, code="moment.future", message="lies in the future")
    if form.call is not None and form.call.ended_at is not None and form.call.ended_at < form.call.began_at:
        yield Fault(pointer="/call/ended_at", code="moment.order", message="lies before began_at")
    if form.letter is not None:
        received = kyiv_day(form.received_at)
        for name, day in (("dated", form.letter.dated), ("posted_on", form.letter.posted_on)):
            if day is not None and day > received:
                yield Fault(pointer=f"/letter/{name}", code="moment.order", message="lies after received_at")


def _moments(form: AppealForm) -> Iterator[tuple[str, datetime | None]]:
    """Moments of what the centre did, each with its place."""
    if form.call is not None:
        yield "/call/began_at", form.call.began_at
        yield "/call/ended_at", form.call.ended_at
    if form.identity is not None:
        yield "/identity/at", form.identity.at
    if form.answered is not None:
        yield "/answered/at", form.answered.at


def _bodies(directory: Directory) -> dict[str, str]:
    return {body.code: body.short_name or body.name for body in directory.authorities()}


def _fault(pointer: str, code: str, what: str, value: str, known: dict[str, str]) -> Fault:
    near = _nearest(value, known)
    told = "; ".join(f"{each} ({known[each][:80]})" for each in near)
    message = f"is no {what} of the registry" + (f"; the nearest are {told}" if told else "")
    return Fault(pointer=pointer, code=code, message=message)


def _nearest(value: str, known: Iterable[str]) -> list[str]:
    return get_close_matches(value, list(known), n=NEAREST, cutoff=_CLOSE)
