"""One tree of errors. Each knows whether to try again and what a person should do next.

    HubError
    ├── InvalidInput          the request or file is wrong; every fault is named           never retry
    │   ├── TooLarge          over a stated limit; refused before work is done             never retry
    │   └── Interrupted       the body did not come to its end                             retry later
    ├── Unauthenticated       no credential, or one that is not valid                      never retry
    ├── Forbidden             the credential does not allow this                           never retry
    ├── NotFound              no such thing, or not yours (the two are not told apart)     never retry
    ├── Conflict              the same id or key was used for something else               never retry
    ├── SealRefused           a signature that does not hold, or is not allowed            never retry
    ├── RegistryRefused       the registry's files are wrong; the old registry stays       when mended
    ├── ConfigurationError    a setting is wrong or missing                                when mended
    │   └── PeerChanged       the other side is not who the setting says it is             when mended, lane stops
    ├── UnsupportedFeature    this channel cannot express what the message says            operator
    ├── ItemFailed            a fault of our own in reading one thing that came            operator
    ├── Unavailable           the hub cannot keep what it would accept                     retry later
    └── DeliveryError         talking to another system failed                             operator
        ├── TemporaryFailure  nothing was taken in; the same may work later                retry later
        ├── OutcomeUnknown    the answer was lost                                          repeat, same bytes and id
        └── PermanentFailure  the other side refused; the same will be refused again       operator

What an error means for a message that was to be sent follows from ``retry`` alone (``Outcome.of`` in ``hub.ports``).

Texts in errors never carry personal data, secrets or bytes of a message: they name the place (JSON pointer, XPath,
file and line) and the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Retry(StrEnum):
    """Advice for whoever holds the thing that failed.

    ``never``: the same is refused again. ``later``: nothing was taken, the same may work by itself. ``repeat``: it may
    have been taken; the same bytes go again under the same id. ``mended``: it is right and waits until a person has
    mended a setting. ``operator``: a person decides about this very thing.
    """

    NEVER = "never"
    LATER = "later"
    REPEAT = "repeat"
    MENDED = "mended"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong in an input.

    ``pointer``: JSON pointer (RFC 6901), XPath, or ``file:line`` of the place. ``code``: stable, lower case with dots.
    ``message``: a sentence for a person. None of the three carries the offending value.
    """

    pointer: str
    code: str
    message: str


class HubError(Exception):
    """Base of all errors that the hub raises on purpose.

    ``code`` is stable and part of the interface; ``message`` is for a person; ``action`` is the next step; ``retry`` is
    what the machine does next. ``remedy``: next step for a person who tries the thing now, when no schedule will;
    absent = ``action`` holds for both. ``setting``: the channel's setting that it is about, as a path (``auth/token``),
    so that file and line can be told. ``http_status``: as another system answered. ``retry_after``: seconds until it is
    worth trying again. ``stops_lane``: nothing more may go that way until a person has looked. ``detail``: another
    system's words for operators, kept with the attempt and never logged; absent = ``message`` says all.
    ``journalled``: the input that this refuses stands in the journal already.
    """

    code: ClassVar[str] = "hub.error"
    title: ClassVar[str] = "The hub could not do this"
    action: ClassVar[str] = "Tell the hub's operators; give them the code and the time."
    remedy: ClassVar[str | None] = None
    retry: Retry = Retry.OPERATOR
    http_status: int | None = None
    retry_after: float | None = None
    detail: str | None = None
    stops_lane: ClassVar[bool] = False
    journalled: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        action: str | None = None,
        remedy: str | None = None,
        setting: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self._code = code
        self._action = action
        self._remedy = remedy
        self.setting = setting

    @property
    def stable_code(self) -> str:
        """The code of this error, or the narrower one it was raised with."""
        return self._code or self.code

    @property
    def repeatable(self) -> bool:
        """True if the very same request may be sent again and can then succeed: nothing in it has to be changed."""
        return self.retry in (Retry.LATER, Retry.REPEAT, Retry.MENDED)

    @property
    def next_step(self) -> str:
        """Next step for the reader."""
        return self._action or self.action

    @property
    def at_hand(self) -> str:
        """Next step for a person who tries it now (``hub channel probe``), when no schedule will."""
        return self._remedy or self._action or self.remedy or self.action

    def __str__(self) -> str:
        return f"{self.stable_code}: {self.message}"


class InvalidInput(HubError):
    """Input that breaks the rules. ``faults`` names every one that was found, in one answer."""

    code = "input.invalid"
    title = "The input breaks the rules"
    action = "Mend every fault that is named, then send again."
    retry = Retry.NEVER

    def __init__(
        self,
        message: str,
        *,
        faults: Iterable[Fault] = (),
        code: str | None = None,
        action: str | None = None,
    ) -> None:
        super().__init__(message, code=code, action=action)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "; ".join([super().__str__(), *(f"{f.pointer}: {f.message} ({f.code})" for f in self.faults)])


class TooLarge(InvalidInput):
    """Over a limit that is stated in the documentation; nothing was read beyond it."""

    code = "input.too_large"
    title = "The input is over a limit"
    action = "Send less, or send the attachment by itself first and name it by its SHA-256."


class Interrupted(InvalidInput):
    """A body that did not come to its end: too slow, or the connection broke. Nothing was kept of it."""

    code = "input.too_slow"
    title = "The input did not come to its end"
    action = "Send it again over a faster line."
    retry = Retry.LATER


class Unauthenticated(HubError):
    """No credential, or one that does not hold."""

    code = "auth.required"
    title = "Who you are could not be established"
    action = "Send an API key or a bearer token that is valid for this hub."
    retry = Retry.NEVER


class Forbidden(HubError):
    """A valid credential that does not allow this."""

    code = "auth.forbidden"
    title = "Your role does not allow this"
    action = "Use a credential of the role that the documentation names for this call."
    retry = Retry.NEVER


class NotFound(HubError):
    """No such thing, or not yours to see: the two are never told apart."""

    code = "not_found"
    title = "There is no such thing here for you"
    action = "Check the id; ask the hub's operators if you are sure that it is yours."
    retry = Retry.NEVER


class Conflict(HubError):
    """The same id or idempotency key was used before for something else."""

    code = "conflict"
    title = "This id stands for something else already"
    action = "Use a new id for a new message; send the same bytes to repeat an old one."
    retry = Retry.NEVER


class SealRefused(HubError):
    """A signature that does not hold, uses what is not allowed, or is not by whom it should be."""

    code = "seal.refused"
    title = "The seal does not hold"
    action = "Sign with the key that the registry has for you, as docs/seals.md says."
    retry = Retry.NEVER


class RegistryRefused(InvalidInput):
    """The registry's files are broken; they are refused as a whole and the registry in force stays."""

    code = "registry.refused"
    title = "The registry's files are broken"
    action = "Mend the named lines; `hub registry check` shows the same list."
    retry = Retry.MENDED


class ConfigurationError(HubError):
    """A setting is missing or wrong."""

    code = "configuration.wrong"
    title = "A setting is wrong"
    action = "Mend the named setting; config/hub.example.yaml lists them all."
    retry = Retry.MENDED


class PeerChanged(ConfigurationError):
    """The other side shows another identity (host key) than the channel pins. Nothing is said to it.

    It may have a new machine, or somebody stands in between: a person finds out, and until then the lane stands still.
    """

    code = "peer.changed"
    title = "The other side is not who it should be"
    action = "Ask the authority by another way whether it changed its key; mend the channel, then resume the lane."
    stops_lane = True


class UnsupportedFeature(HubError):
    """The channel cannot express something that the message says; it is an error, never silence."""

    code = "channel.unsupported"
    title = "This channel cannot carry that"
    action = "Give the authority a channel that can, or hand the appeal over by hand."


class ItemFailed(HubError):
    """A fault of the hub's own in reading one thing that came; it is held for a person, and the next one goes on."""

    code = "item.failed"
    title = "The hub could not read this"
    action = "Read it by hand and decide; tell the hub's developers the code and the place."


class Unavailable(HubError):
    """The hub cannot keep what it would accept, so it accepts nothing. ``retry_after``: seconds."""

    code = "hub.unavailable"
    title = "The hub cannot take this in now"
    action = "Send the same again after the time in Retry-After; nothing was kept."
    retry = Retry.LATER

    def __init__(self, message: str, *, retry_after: float = 5, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class ShareTaken(Unavailable):
    """The caller holds as much as one may hold at once, so nothing more of it is taken. ``retry_after``: seconds."""

    code = "share.taken"
    title = "You hold your share of this already"
    action = "End or await one of your own, then send the same again; nothing was kept."


class DeliveryError(HubError):
    """Talking to another system failed. ``http_status`` is what it answered, where it did."""

    code = "delivery.failed"
    title = "The other system could not be reached as agreed"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        action: str | None = None,
        remedy: str | None = None,
        setting: str | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message, code=code, action=action, remedy=remedy, setting=setting)
        self.http_status = http_status
        self.retry_after = retry_after
        self.detail = detail


class TemporaryFailure(DeliveryError):
    """Surely nothing was taken in: connection refused, 429, 503. ``retry_after``: seconds, if the other side said."""

    code = "delivery.temporary"
    action = "Nothing: the hub tries again by the channel's schedule."
    remedy = "Try again in a while; if it stays so, ask those who keep their system."
    retry = Retry.LATER


class OutcomeUnknown(DeliveryError):
    """Bytes went out and no valid receipt came back: it may have been taken in. The same bytes and id go again."""

    code = "delivery.unknown"
    action = "Nothing: the hub sends the same bytes with the same id again."
    remedy = "Look in their system whether it took the message; then try again."
    retry = Retry.REPEAT


class PermanentFailure(DeliveryError):
    """The other side refused in a way that trying again will not change."""

    code = "delivery.permanent"
    action = "An operator mends the cause the message names, then replays the delivery."
    remedy = "Mend the cause that the message names, then try again."
    retry = Retry.OPERATOR


@contextmanager
def about(setting: str) -> Iterator[None]:
    """Say of each error in this block which setting of the channel it is about (``auth/token``), unless it knows that
    itself.
    """
    try:
        yield
    except HubError as error:
        error.setting = error.setting or setting
        raise


@contextmanager
def within(section: str) -> Iterator[None]:
    """Say of each error in this block that its setting stands in this section of the channel's settings."""
    try:
        yield
    except HubError as error:
        error.setting = section if error.setting is None else f"{section}/{error.setting}"
        raise
