"""Co-executors of an appeal with several questions: bodies that are competent for the further ones.

The first topic names the main executor. A further topic makes a co-executor of the body that is named for it (or for a
parent of it) in particular; who takes everything is not asked twice. Pure but for making ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from hub.ports import Directory
from hub.router import Decision, Reason, Routable, RoutingRequest, StepCode, decide
from hub.schemas.directory import ANY_TOPIC


def further(form: Routable, main: Decision, directory: Directory, day: date) -> Iterator[Decision]:
    """Decisions on who else answers for the further topics on this Kyiv day, none twice, without the main executor."""
    taken = {main.authority}
    for topic in form.topics[1:] if main.authority is not None else ():
        request = RoutingRequest(
            topics=(topic,), place=form.place, kind=form.kind, channel=form.channel, about=form.about
        )
        decision = decide(request, directory, day)
        if decision.reason == Reason.COMPETENCE and decision.authority not in taken and _named(decision):
            taken.add(decision.authority)
            yield decision


def _named(decision: Decision) -> bool:
    """True if the body is competent for the topic itself, not for everything."""
    candidates = [step for step in decision.steps if step.code == StepCode.CANDIDATES]
    return bool(candidates) and candidates[-1].values[0] != ANY_TOPIC
