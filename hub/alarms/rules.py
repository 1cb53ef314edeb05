"""Rules of alarms: read from the package's ``data/alarms.yaml`` and changed by the file in the hub's home."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.alarms.values import Reading, Severity
from hub.errors import ConfigurationError
from hub.schemas import strict_yaml
from hub.schemas.base import Code, Frozen, Line

NAME = r"[a-z0-9][a-z0-9-]{0,63}"
MOST_RULES = 200


class Watched(StrEnum):
    """Figures that rules may watch; ``hub.upkeep.looks`` reads them, docs/operations/alarms.md explains each."""

    PEN_HELD = "pen.held"
    ITEMS_OPEN = "items.open"
    ITEMS_OVERDUE = "items.overdue"
    CASES_NOBODY = "cases.nobody"
    TERMS_OVERDUE = "terms.overdue"
    DELIVERIES_DEAD = "deliveries.dead"
    DELIVERIES_LATE = "deliveries.late"
    LANES_FAILING = "lanes.failing"
    LANES_PAUSED = "lanes.paused"
    LANES_ABSENT = "lanes.absent"
    LANES_UNHEARD = "lanes.unheard"
    COLLECT_SILENT = "collect.silent"
    FOLLOWER_BEHIND = "follower.behind"
    WEBHOOKS_GIVEN_UP = "webhooks.given_up"
    WEBHOOKS_OFF = "webhooks.off"
    LOGINS_REFUSED = "logins.refused"
    SEALS_REFUSED = "seals.refused"
    REGISTRY_REFUSED = "registry.refused"
    DISK_FREE = "disk.free"
    EXPIRY_DAYS = "expiry.days"
    EXPIRY_UNREADABLE = "expiry.unreadable"
    BLIND = "alarms.blind"


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Listed = BeforeValidator(_listed)


class AlarmRule(Frozen):
    """One rule: an alarm opens when ``watch`` reads ``above`` or ``below`` a number for ``after_minutes``, and closes
    when that was not so for ``quiet_minutes``.

    ``each``: an alarm for each subject, else one for the sum of all. ``steps``: told again when it passes each of them.
    ``older_minutes``: counts only what is older. ``tell``: names of receivers, empty = all. ``door``: where the shift
    looks. ``disabled``: is not looked at.
    """

    code: Annotated[str, Code(r"[a-z]{1,30}\.[a-z_]{1,30}")]
    watch: Annotated[Watched, Field(strict=False)]
    above: int | None = Field(default=None, ge=0)
    below: int | None = None
    steps: Annotated[tuple[int, ...], Listed, Field(max_length=10)] = ()
    older_minutes: int = Field(default=0, ge=0, le=525_600)
    after_minutes: int = Field(default=0, ge=0, le=10_080)
    quiet_minutes: int = Field(default=60, ge=1, le=10_080)
    each: bool = False
    severity: Annotated[Severity, Field(strict=False)] = Severity.WARNING
    tell: Annotated[tuple[Annotated[str, Code(NAME)], ...], Listed, Field(max_length=20)] = ()
    door: Annotated[str, Line(200)]
    says: Annotated[str, Line(300)]
    disabled: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> AlarmRule:
        if (self.above is None) == (self.below is None):
            raise PydanticCustomError("threshold", "exactly one of above and below must be given")
        if self.steps and not self.each:
            raise PydanticCustomError("steps", "steps go with each: true")
        ends = (self.above, *self.steps) if self.above is not None else (self.below, *self.steps)
        wanted = sorted(set(ends), reverse=self.below is not None)  # type: ignore[type-var]
        if list(ends) != wanted:
            raise PydanticCustomError("steps", "steps go on from the threshold, each further than the one before")
        return self

    @property
    def after(self) -> timedelta:
        """For how long it must hold before the alarm opens."""
        return timedelta(minutes=self.after_minutes)

    @property
    def quiet(self) -> timedelta:
        """For how long it must not hold before the alarm closes."""
        return timedelta(minutes=self.quiet_minutes)

    def breaks(self, value: int) -> bool:
        """True if the figure is beyond the threshold."""
        return value > self.above if self.above is not None else value < (self.below or 0)

    def step_of(self, value: int) -> int:
        """How many further steps the figure has passed."""
        return sum(value >= step if self.above is not None else value <= step for step in self.steps)

    def broken_by(self, readings: Iterable[Reading]) -> dict[str, Reading]:
        """Readings beyond the threshold by subject; of a rule without ``each`` the sum, which names the subjects."""
        read = tuple(readings)
        if not self.each:
            read = (_summed(read),)
        return {reading.subject: reading for reading in read if self.breaks(reading.value)}


def _summed(readings: tuple[Reading, ...]) -> Reading:
    named = sorted({reading.subject for reading in readings if reading.subject})
    more = f" and {len(named) - 10} more" if len(named) > 10 else ""
    words = ", ".join(named[:10]) + more if named else ", ".join(r.words for r in readings[:1] if r.words)
    return Reading(value=sum(reading.value for reading in readings), words=words[:200])


def _shipped_entries() -> dict[str, dict[str, Any]]:
    text = resources.files("hub.alarms").joinpath("data", "alarms.yaml").read_text("utf-8")
    return {entry["code"]: entry for entry in strict_yaml.load(text)["rules"]}


@lru_cache(maxsize=1)
def shipped() -> tuple[AlarmRule, ...]:
    """Rules of the package's own file."""
    return merged(())


def merged(changes: Iterable[Mapping[str, Any]], file: str = "alarms.yaml") -> tuple[AlarmRule, ...]:
    """The package's rules with changes by ``code``: some members of one of them, or a whole rule of one's own.

    Raises ``ConfigurationError`` (``alarms.file``) that names every fault.
    """
    entries = _shipped_entries()
    faults, seen = [], set()
    for place, change in enumerate(changes):
        code = change.get("code")
        if not isinstance(code, str) or code in seen:
            faults.append(f"rules.{place}.code: must be given, once for each rule")
            continue
        seen.add(code)
        entries[code] = {**entries.get(code, {}), **change}
    rules = []
    for code, entry in entries.items():
        try:
            rules.append(AlarmRule.model_validate(entry))
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)
            faults += [f"{code}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong]
    if len(rules) > MOST_RULES:
        faults.append(f"more than {MOST_RULES} rules")
    if faults:
        raise ConfigurationError(
            f"{file} is wrong: {'; '.join(faults[:20])}.",
            code="alarms.file",
            action="Mend it and check it: `hub alarms check`.",
        )
    return tuple(rules)
