"""Telling: a message about alarms brought to a receiver, by mail or by a signed webhook, in one attempt."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from hub.adapters.email import own
from hub.alarms import wording
from hub.alarms.values import AlarmMessage, MessageKind
from hub.net.webhook import conversation
from hub.ports import Clock
from hub.schemas.delivery import OutcomeKind
from hub.schemas.ids import MessageId, new_id
from hub.upkeep.alarm_file import Alarming, HookReceiver, MailReceiver


class AlarmTeller:
    """The port ``Tells``. ``current``: what the alarms' file says now; ``base_url``: where the doors are."""

    def __init__(self, current: Callable[[], Alarming], *, base_url: str, clock: Clock) -> None:
        self._current = current
        self._base_url = base_url
        self._clock = clock

    def tell(self, receiver: str, message: AlarmMessage) -> str | None:
        """One attempt; None if it was taken, else the code of what was not well."""
        found = self._current().receivers.get(receiver)
        match found:
            case MailReceiver():
                return self._mail(found, message)
            case HookReceiver():
                return self._call(found, message)
            case _:
                return "receiver.gone"

    def test(self, receiver: str) -> str | None:
        """Send a test, now. Raises ``ConfigurationError`` if a secret or certificate is missing."""
        now = self._clock.now()
        message = AlarmMessage(
            id=str(new_id()), receiver=receiver, kind=MessageKind.TEST, body="{}", made_at=now, next_at=now
        )
        return self.tell(receiver, message)

    def _mail(self, receiver: MailReceiver, message: AlarmMessage) -> str | None:
        prepared = own.written(
            receiver.route,
            MessageId(uuid.UUID(message.id)),
            subject=wording.subject(message),
            text=wording.letter(message, self._base_url),
            at=message.made_at,
        )
        outcome = own.send(receiver.route, prepared, float(receiver.deadline_secs))
        return None if outcome.kind is OutcomeKind.DELIVERED else outcome.code or str(outcome.kind)

    def _call(self, receiver: HookReceiver, message: AlarmMessage) -> str | None:
        with conversation(receiver) as call:
            reply = call(f"alm_{message.id}", wording.payload(message, self._base_url))
        return None if reply.arrived else reply.code
