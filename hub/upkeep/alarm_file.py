"""The alarms' file in the hub's home: who hears, changes to the package's rules, rules of one's own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, Field, ValidationError

from hub.adapters.email.own import OwnRoute
from hub.adapters.email.settings import SmtpServer
from hub.alarms.ports import AlarmBook
from hub.alarms.rules import MOST_RULES, NAME, AlarmRule, merged, shipped
from hub.errors import ConfigurationError
from hub.net.http import check_url
from hub.net.settings import AsTuple
from hub.net.webhook import HookSettings
from hub.schemas import strict_yaml
from hub.schemas.base import Code, Frozen
from hub.schemas.people import Email

log = logging.getLogger(__name__)
MAX_FILE_BYTES = 1_048_576
_CODE, _CHECK = "alarms.file", "Mend it and check it: `hub alarms check`."
Name: TypeAlias = Annotated[str, Code(NAME)]


class MailReceiver(Frozen):
    """People who hear by mail. ``address``: the sender; ``to``: everybody who gets it; ``digest``: the list of the day
    too.
    """

    name: Name
    kind: Literal["mail"]
    address: Email
    to: Annotated[tuple[Email, ...], AsTuple, Field(min_length=1, max_length=10)]
    smtp: SmtpServer
    digest: bool = True
    deadline_secs: int = Field(default=30, ge=1, le=50)

    @property
    def route(self) -> OwnRoute:
        """How it is reached."""
        return OwnRoute(smtp=self.smtp, address=self.address, to=self.to)


class HookReceiver(HookSettings):
    """A system that hears by a signed webhook: a pager, a chat, a ticket desk."""

    name: Name
    kind: Literal["webhook"]
    digest: bool = False


AnyReceiver: TypeAlias = Annotated[MailReceiver | HookReceiver, Field(discriminator="kind")]


class _AlarmsFile(Frozen):
    receivers: Annotated[tuple[AnyReceiver, ...], AsTuple, Field(max_length=20)] = ()
    rules: Annotated[tuple[dict[str, Any], ...], AsTuple, Field(max_length=MOST_RULES)] = ()
    digest_at: Annotated[str, Code(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")] = "08:00"
    gather_minutes: int = Field(default=5, ge=1, le=60)


class Alarming(Frozen):
    """What a file says, checked: rules in force, and receivers by name."""

    rules: tuple[AlarmRule, ...]
    receivers: dict[str, MailReceiver | HookReceiver] = Field(default_factory=dict)
    digest_at: time = time(8)
    gather_minutes: int = 5

    @property
    def book(self) -> AlarmBook:
        """The same as the keeper of alarms needs it."""
        return AlarmBook(
            rules=self.rules,
            receivers=tuple(self.receivers),
            digests=tuple(name for name, receiver in self.receivers.items() if receiver.digest),
            digest_at=self.digest_at,
            gather_minutes=self.gather_minutes,
        )


def _refused(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(f"{path} {what}.", code=_CODE, action=_CHECK)


def read(path: Path) -> Alarming:
    """A file of alarms; the package's rules and nobody who hears if there is none.

    Raises ``ConfigurationError`` (``alarms.file``) that names every fault.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _refused(path, f"is larger than {MAX_FILE_BYTES} bytes")
        found = _AlarmsFile.model_validate(strict_yaml.load(path.read_bytes()) or {})
    except FileNotFoundError:
        return Alarming(rules=shipped())
    except (OSError, yaml.YAMLError) as error:
        raise _refused(path, f"cannot be read: {strict_yaml.told(error)}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)[:20])
        raise _refused(path, f"is wrong: {wrong}") from None
    return _checked(path, found)


def _checked(path: Path, found: _AlarmsFile) -> Alarming:
    rules = merged(found.rules, str(path))
    receivers = {receiver.name: receiver for receiver in found.receivers}
    if len(receivers) < len(found.receivers):
        raise _refused(path, "names a receiver twice")
    unknown = sorted({name for rule in rules for name in rule.tell} - set(receivers))
    if unknown:
        raise _refused(path, f"tells receivers that it does not name: {', '.join(unknown)}")
    for receiver in receivers.values():
        if isinstance(receiver, HookReceiver):
            check_url(receiver.url, receiver.bare_policy())
    return Alarming(
        rules=rules,
        receivers=receivers,
        digest_at=time.fromisoformat(found.digest_at),
        gather_minutes=found.gather_minutes,
    )


class AlarmFile:
    """The file in force: read again when it changes; a broken one leaves what was before. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._found = read(path)
        self._stamp = self._now()

    def _now(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size

    def current(self) -> Alarming:
        """What is in force."""
        with self._lock:
            stamp = self._now()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._found = read(self._path)
                except ConfigurationError as error:
                    log.error(  # noqa: TRY400  # the stack tells nothing
                        "the alarms' file is broken; what was in force stays", extra={"code": error.stable_code}
                    )
            return self._found

    def models(self) -> Iterator[tuple[str, BaseModel]]:
        """Settings of the receivers, by name, for the list of what ends."""
        for name, receiver in self.current().receivers.items():
            yield f"alarms {name}", receiver
