"""All targets by name, and how each is judged."""

from __future__ import annotations

from pathlib import Path

from hub.errors import HubError
from tests.fuzz.judging import MOST_SECS, Judge, Target
from tests.fuzz.readers import documents, mails, seals, soaps, texts, wires

_MODULES = (texts, documents, wires, seals, mails, soaps)
TARGETS = {target.name: target for module in _MODULES for target in module.TARGETS}
HOMES = {target.name: module.__name__ for module in _MODULES for target in module.TARGETS}
"""Module of each target: a guided run instruments no more than that one needs."""


def judge(target: Target, found: Path | None = None, most_secs: float = MOST_SECS) -> Judge:
    """The judge of a target: errors of the hub's own tree are answers, not faults."""
    return Judge(target, (HubError,), found, most_secs)
