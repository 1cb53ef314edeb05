"""Judging: which alarms open, get worse and close, from what is read now and what stood before. Pure.

An alarm opens once the rule's condition has held for its ``after``, and closes once it has not held for its ``quiet``.
So within any span of ``quiet`` one alarm opens at most once and closes at most once, however its condition flaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hub.alarms.rules import AlarmRule
from hub.alarms.values import Alarm, Reading, Verdict

MOST_SUBJECTS = 500
"""Alarms of one rule that stand at once; what is beyond is one alarm more, of the subject ``others``."""
OTHERS = "others"


def judge(
    rules: Sequence[AlarmRule],
    readings: Mapping[str, Iterable[Reading] | None],
    standing: Iterable[Alarm],
    now: datetime,
    new_id: Callable[[], str],
) -> Verdict:
    """Compare readings (by code of the rule) with the alarms that are not closed.

    Rules whose readings are absent could not be looked at: their alarms stay as they are. Alarms of rules that are
    gone close at once.
    """
    known: dict[str, dict[str, Alarm]] = {}
    for alarm in standing:
        known.setdefault(alarm.rule, {})[alarm.subject] = alarm
    judged: list[tuple[Alarm, Alarm | None]] = []
    for rule in rules:
        of_rule = known.pop(rule.code, {})
        read = readings.get(rule.code)
        if read is not None:
            judged += _of_rule(rule, rule.broken_by(read), of_rule, now, new_id)
    for of_rule in known.values():
        judged += [(each, replace(each, closed_at=now) if each.opened_at else None) for each in of_rule.values()]
    return _verdict(judged)


def _of_rule(
    rule: AlarmRule, broken: dict[str, Reading], known: dict[str, Alarm], now: datetime, new_id: Callable[[], str]
) -> list[tuple[Alarm, Alarm | None]]:
    """Pairs of an alarm before and after; a new one stands before as it would be without a look."""
    bounded = _bounded(broken, known)
    judged = [
        (before, _seen(rule, before, bounded[subject], now) if subject in bounded else _unseen(rule, before, now))
        for subject, before in known.items()
    ]
    for subject, reading in bounded.items():
        if subject not in known:
            fresh = Alarm(
                id=new_id(),
                rule=rule.code,
                subject=subject,
                severity=rule.severity,
                value=-1,
                words="",
                since=now,
            )
            judged.append((fresh, _seen(rule, fresh, reading, now)))
    return judged


def _bounded(broken: dict[str, Reading], known: Mapping[str, Alarm]) -> dict[str, Reading]:
    if len(broken) <= MOST_SUBJECTS:
        return broken
    order = sorted(broken, key=lambda subject: (subject not in known, subject))
    kept = {subject: broken[subject] for subject in order[:MOST_SUBJECTS]}
    rest = len(order) - MOST_SUBJECTS
    return kept | {OTHERS: Reading(subject=OTHERS, value=rest, words=f"{rest} more subjects")}


def _seen(rule: AlarmRule, before: Alarm, reading: Reading, now: datetime) -> Alarm:
    """The alarm while its condition holds."""
    opened_at = before.opened_at or (now if now - before.since >= rule.after else None)
    step = max(before.step, rule.step_of(reading.value)) if opened_at else 0
    return replace(
        before,
        severity=rule.severity,
        value=reading.value,
        words=reading.words[:200],
        opened_at=opened_at,
        absent_since=None,
        step=step,
    )


def _unseen(rule: AlarmRule, before: Alarm, now: datetime) -> Alarm | None:
    """The alarm while its condition does not hold; none if it never opened."""
    if before.opened_at is None:
        return None
    absent = before.absent_since or now
    return replace(before, absent_since=absent, closed_at=now if now - absent >= rule.quiet else None)


def _verdict(judged: Iterable[tuple[Alarm, Alarm | None]]) -> Verdict:
    pairs = list(judged)
    after = [(before, alarm) for before, alarm in pairs if alarm is not None]
    opened = [alarm for before, alarm in after if alarm.opened_at and not before.opened_at]
    return Verdict(
        kept=tuple(alarm for before, alarm in after if alarm != before),
        gone=tuple(before.id for before, alarm in pairs if alarm is None),
        opened=tuple(opened),
        worse=tuple(alarm for before, alarm in after if before.opened_at and alarm.step > before.step),
        closed=tuple(alarm for _, alarm in after if alarm.closed_at),
    )
