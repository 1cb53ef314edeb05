"""The keeper of alarms: looks at the rules once a minute, and sees to it that receivers are told.

What a look finds and the messages about it are one transaction, under a lease: of several processes one tells. A
receiver gets one message about changes in ``gather_minutes``, whatever happens; one that is away is tried again for
half a day with the same id, then that message is given up, and doors, figures and the log say so.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hub.alarms import wording
from hub.alarms.judging import judge
from hub.alarms.ports import AlarmBook, AlarmMemory, Looks, Tells
from hub.alarms.rules import AlarmRule, Watched
from hub.alarms.values import Alarm, AlarmMessage, MessageKind, Reading, Verdict
from hub.contained import contained
from hub.errors import HubError
from hub.following.ports import Followers
from hub.ports import Clock
from hub.schemas.ids import new_id
from hub.schemas.kyiv import KYIV

log = logging.getLogger(__name__)

NAME = "alarms"
ROUND = timedelta(seconds=60)
LEASE = timedelta(seconds=120)
SCHEDULE_SECS = (60, 300, 900, 3_600, 10_800, 28_800)
"""Waits between the attempts of one message: over half a day in all."""
KEEP = timedelta(days=90)
_MOST_AT_ONCE = 20
_PRUNE = timedelta(hours=1)
_DIGESTS = uuid.UUID("6a0f5c5e-9f0b-5b5e-8a44-2f9b1d5f7c31")


class AlarmKeeper:
    """Looks and tells. Any number of processes may step; one works at a time. Used by one thread of each.

    ``book``: the rules and receivers in force now. ``owner``: name of this process.
    """

    def __init__(
        self,
        *,
        book: Callable[[], AlarmBook],
        looks: Looks,
        memory: AlarmMemory,
        followers: Followers,
        tells: Tells,
        clock: Clock,
        owner: str,
    ) -> None:
        self._book = book
        self._looks = looks
        self._memory = memory
        self._followers = followers
        self._tells = tells
        self._clock = clock
        self._owner = owner
        self._looked_at: datetime | None = None
        self._pruned_at: datetime | None = None

    def step(self) -> int:
        """Look if it is time, and send what is due; how many attempts were made. Raises ``Unavailable``."""
        now = self._clock.now()
        if not self._followers.acquire(NAME, owner=self._owner, now=now, lease_until=now + LEASE):
            return 0
        if self._looked_at is None or not self._looked_at <= now < self._looked_at + ROUND:
            self._look(now)
        return self._send(now)

    def release(self) -> int:
        """Let another process go on at once."""
        self._followers.release(NAME, owner=self._owner)
        return 0

    # Looking

    def _look(self, now: datetime) -> None:
        book = self._book()
        rules = [rule for rule in book.rules if not rule.disabled]
        readings = self._readings(rules, now)
        standing = self._memory.standing()
        verdict = judge(rules, readings, standing, now, lambda: str(new_id()))
        messages = [*self._changes(book, verdict, now), *self._digests(book, standing, now)]
        kept = self._memory.write(self._owner, looked_at=now, alarms=verdict.kept, gone=verdict.gone, messages=messages)
        if not kept:
            return
        self._looked_at = now
        for alarm in verdict.opened:
            log.warning("an alarm opened", extra={"code": alarm.rule, "what": alarm.subject, "count": alarm.value})
        for alarm in verdict.closed:
            log.info("an alarm closed", extra={"code": alarm.rule, "what": alarm.subject})
        if self._pruned_at is None or now - self._pruned_at >= _PRUNE:
            self._memory.prune(now - KEEP)
            self._pruned_at = now

    def _readings(self, rules: Sequence[AlarmRule], now: datetime) -> dict[str, Sequence[Reading] | None]:
        read = {rule.code: self._read(rule, now) for rule in rules if rule.watch is not Watched.BLIND}
        blind = [Reading(subject=code) for code, found in read.items() if found is None]
        return read | {rule.code: blind for rule in rules if rule.watch is Watched.BLIND}

    def _read(self, rule: AlarmRule, now: datetime) -> Sequence[Reading] | None:
        """Figures of a rule; none if they cannot be read, which is an alarm of its own and must not hide the others."""
        try:
            with contained("rule of alarms"):
                return self._looks.look(rule, now)
        except HubError as failure:
            log.warning("a rule could not be looked at", extra={"what": rule.code, "code": failure.stable_code})
        return None

    # What is to be said

    def _changes(self, book: AlarmBook, verdict: Verdict, now: datetime) -> list[AlarmMessage]:
        rules = {rule.code: rule for rule in book.rules}
        found = {"opened": verdict.opened, "worse": verdict.worse, "closed": verdict.closed}
        messages = []
        for receiver in book.receivers:
            heard = {name: [a for a in alarms if book.hears(receiver, a.rule)] for name, alarms in found.items()}
            if any(heard.values()):
                messages.append(self._change(receiver, wording.document(heard, rules), book, now))
        return messages

    def _change(self, receiver: str, made: Mapping[str, object], book: AlarmBook, now: datetime) -> AlarmMessage:
        """A message about changes, or the one that still waits for its time with these beside."""
        latest = self._memory.latest(receiver)
        if latest is not None and latest.next_at is not None and not latest.attempts:
            return replace(latest, body=wording.joined(latest.body, made))
        gather = timedelta(minutes=book.gather_minutes)
        earliest = now if latest is None else (latest.ended_at or latest.made_at) + gather
        return AlarmMessage(
            id=str(new_id()),
            receiver=receiver,
            kind=MessageKind.CHANGES,
            body=wording.as_text(made),
            made_at=now,
            next_at=max(now, min(earliest, now + gather)),
        )

    def _digests(self, book: AlarmBook, standing: Sequence[Alarm], now: datetime) -> list[AlarmMessage]:
        """The list of the day, once its hour has come; made again it is the same message, which is kept once."""
        local = now.astimezone(KYIV)
        moment = datetime.combine(local.date(), book.digest_at, KYIV)
        open_then = [alarm for alarm in standing if alarm.opened_at is not None and alarm.opened_at <= moment]
        if now < moment or not open_then:
            return []
        rules = {rule.code: rule for rule in book.rules}
        order = sorted(open_then, key=lambda alarm: (alarm.severity, alarm.rule, alarm.subject))
        messages = []
        for receiver in book.digests:
            heard = [alarm for alarm in order if book.hears(receiver, alarm.rule)]
            if heard:
                messages.append(
                    AlarmMessage(
                        id=str(uuid.uuid5(_DIGESTS, f"{local.date().isoformat()}\n{receiver}")),
                        receiver=receiver,
                        kind=MessageKind.DIGEST,
                        body=wording.as_text(wording.document({"open": heard}, rules)),
                        made_at=now,
                        next_at=now,
                    )
                )
        return messages

    # Saying it

    def _send(self, began: datetime) -> int:
        attempts = 0
        known = self._book().receivers
        for message in self._memory.due(began, _MOST_AT_ONCE):
            code = self._told(message) if message.receiver in known else "receiver.gone"
            now = self._clock.now()
            self._memory.settle(_settled(message, code, now))
            attempts += 1
            if now - began > LEASE / 2:
                break  # the rest of the lease is for an attempt that takes long: nobody else may begin before it ends
        return attempts

    def _told(self, message: AlarmMessage) -> str | None:
        try:
            with contained("message about alarms"):
                return self._tells.tell(message.receiver, message)
        except HubError as failure:
            return failure.stable_code


def _settled(message: AlarmMessage, code: str | None, now: datetime) -> AlarmMessage:
    """The message after an attempt: told, planned again, or given up."""
    after = replace(message, attempts=message.attempts + 1, last_code=code, next_at=None)
    extra = {"what": message.receiver, "code": code, "type": message.kind.value}
    if code is None:
        return replace(after, ended_at=now, told=True)
    if code == "receiver.gone" or message.attempts >= len(SCHEDULE_SECS):
        log.error("an alarm's message was given up: somebody was not told", extra=extra)
        return replace(after, ended_at=now)
    log.warning("an alarm's receiver did not take a message", extra=extra)
    return replace(after, next_at=now + timedelta(seconds=SCHEDULE_SECS[message.attempts]))
