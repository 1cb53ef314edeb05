"""Recordings of whole conversations with another system: what went out, what came back, what was understood of it.

A wire tap (``Recorder``) takes down every HTTP call of a block, also that for a token. Before anything is kept,
credentials and secrets are cut out by the hub's one redaction, and stand-ins stand for tokens that answers name
(``tokens``); headers that are another at each call are left as ``[cut]``. The appeal itself stays, or nothing could be
compared: recordings are made of made-up appeals.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import quote

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.delivery.credentials import MARK as CUT
from hub.errors import ConfigurationError, HubError, InvalidInput
from hub.net.http import HttpAnswer, StreamedBody
from hub.net.transport import HttpCall, Network
from hub.ports import Outcome, ReportedStatus
from hub.schemas import strict_json
from hub.schemas.base import Frozen, Instant, Line
from hub.schemas.ids import ChannelId
from hub.workbench import tokens
from hub.workbench.tokens import Hidden

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""A longer body is kept as its length and SHA-256."""
MAX_EXCHANGES: Final = 1_000
_ANEW: Final = frozenset({"webhook-timestamp", "webhook-signature", "signature", "signature-input", "date", "dpop"})
"""Headers of a request that are another at each call."""
_CUT_IN_ADDRESS: Final = quote(CUT.decode(), safe="").encode()
_CHALLENGES: Final = frozenset({"www-authenticate", "proxy-authenticate"})
"""Headers that are no secret though they speak of one: without them Digest could not be replayed."""


class Content(Frozen):
    """Bytes of a body: as ``text``, as ``base64`` where they are no text, or as ``sha256`` where they are too many."""

    text: str | None = None
    base64: str | None = None
    sha256: str | None = None
    size: int = Field(ge=0)

    @model_validator(mode="after")
    def _one(self) -> Content:
        if sum(each is not None for each in (self.text, self.base64, self.sha256)) != 1:
            raise PydanticCustomError("content", "must give text, base64 or sha256")
        if self.base64 is not None:
            try:
                base64.b64decode(self.base64, validate=True)
            except (binascii.Error, ValueError):
                raise PydanticCustomError("content", "base64 cannot be read") from None
        return self

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Bytes for keeping."""
        if len(data) > MAX_BODY_BYTES:
            return cls(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return cls(base64=base64.b64encode(data).decode("ascii"), size=len(data))
        return cls(text=text, size=len(data))

    def data(self) -> bytes:
        """The bytes; none where they were too many."""
        if self.text is not None:
            return self.text.encode()
        return base64.b64decode(self.base64 or "")


class RecordedRequest(Frozen):
    """One request, without secrets."""

    method: str
    url: str
    headers: dict[str, str]
    body: Content | None = None


class RecordedAnswer(Frozen):
    """The answer, without secrets."""

    status: int
    headers: dict[str, str]
    body: Content


class Failed(Frozen):
    """End of a call that brought no answer. ``kind``: of the error, as ``hub.errors`` names it."""

    kind: Literal["TemporaryFailure", "OutcomeUnknown", "PermanentFailure", "ConfigurationError"]
    code: str
    message: str


class Exchange(Frozen):
    """One call: what was asked, and the answer or how it failed."""

    asked: RecordedRequest
    answered: RecordedAnswer | None = None
    failed: Failed | None = None

    @model_validator(mode="after")
    def _ended(self) -> Exchange:
        if (self.answered is None) == (self.failed is None):
            raise PydanticCustomError("exchange", "must give answered or failed")
        return self


Told: TypeAlias = dict[str, Any]


class Recording(Frozen):
    """A conversation. ``envelope``, ``sealed`` and ``files`` are what went into the channel: the same bytes go in again
    when it is replayed. ``outcome`` and ``polled``: what the hub understood of the answers.
    """

    recording: Literal[1] = 1
    channel: ChannelId
    adapter: Annotated[str, Line(100)]
    dialect: Annotated[str, Line(100)]
    recorded_at: Instant
    reply_url: str | None = None
    envelope: dict[str, Any]
    sealed: str
    sealed_xml: str | None = None
    files: list[str] = Field(default_factory=list, max_length=100)
    exchanges: list[Exchange] = Field(max_length=MAX_EXCHANGES)
    outcome: Told
    polled: Told | None = None


def read(path: Path) -> Recording:
    """A recording file. ``InvalidInput`` (``recording.invalid``) names what is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", code="recording.file") from None
    return parse(data, str(path))


def parse(data: bytes, path: str = "The file") -> Recording:
    """A recording. ``InvalidInput`` (``recording.invalid``). ``path``: how errors name it."""
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInput(f"{path} is longer than {MAX_FILE_BYTES} bytes.", code="recording.invalid")
    try:
        strict_json.parse(data, max_bytes=MAX_FILE_BYTES, any_integers=True)
        return Recording.model_validate_json(data)
    except InvalidInput as error:
        raise InvalidInput(f"{path} is no recording.", faults=error.faults, code="recording.invalid") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{path} is no recording: {where}: {first['msg']}.", code="recording.invalid") from None


def check_new(path: Path) -> None:
    """Raise ``ConfigurationError`` (``recording.file``) if a recording cannot be written there."""
    if path.exists():
        raise _not_written(path, "it is there already")
    if not path.absolute().parent.is_dir():
        raise _not_written(path, "there is no such folder")


def _not_written(path: Path, why: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be written: {why}.",
        code="recording.file",
        action="Name a new file in a folder that is there; a recording is never overwritten.",
    )


def write(recording: Recording, path: Path) -> None:
    """A new file. ``ConfigurationError`` if it is there already or cannot be written."""
    document = recording.model_dump_json(indent=2, exclude_none=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(document + "\n")
    except OSError as error:
        raise _not_written(path, error.strerror) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Raw:
    call: HttpCall
    body: bytes | None
    answer: HttpAnswer | None = None
    failure: HubError | None = None


class Recorder:
    """Wire tap: passes each call on to the network and takes down both sides."""

    def __init__(self) -> None:
        self._raw: list[_Raw] = []

    def carry(self, call: HttpCall, network: Network) -> HttpAnswer:
        """The network's answer."""
        call, taken = _tapped(call)
        try:
            answer = network(call)
        except HubError as failure:
            self._raw.append(_Raw(call=call, body=_joined(taken), failure=failure))
            raise
        self._raw.append(_Raw(call=call, body=_joined(taken), answer=answer))
        return answer

    def hidden(self, secrets: Iterable[str], as_is: Iterable[str] = ()) -> Hidden:
        """Secrets that are given, and the tokens of the conversation. Ask once all is said: a secret may come late.
        ``as_is``: names of members whose values are no tokens.
        """
        return tokens.hidden([(_bytes(raw), raw.answer) for raw in self._raw], secrets, as_is)

    def exchanges(self, known: Hidden) -> list[Exchange]:
        """All that was said, without credentials and without what is hidden."""
        return [
            Exchange(
                asked=_asked(raw.call, raw.body, known),
                answered=None if raw.answer is None else _answered(raw.answer, known),
                failed=None if raw.failure is None else _failed(raw.failure, known),
            )
            for raw in self._raw
        ]


def _bytes(raw: _Raw) -> bytes:
    """A request with its address and headers."""
    heads = "\n".join((raw.call.url, *raw.call.headers.values()))
    return heads.encode("utf-8", "surrogateescape") + b"\n" + (raw.body or b"")


def _tapped(call: HttpCall) -> tuple[HttpCall, list[bytes] | None]:
    """The call with a body that is taken down while it goes."""
    if call.body is None:
        return call, None
    if isinstance(call.body, bytes):
        return call, [call.body]
    taken: list[bytes] = []
    return replace(call, body=replace(call.body, chunks=partial(_tap, call.body.chunks, taken))), taken


def _tap(chunks: Callable[[], Iterator[bytes]], taken: list[bytes]) -> Iterator[bytes]:
    """The pieces as they go; a body that goes anew is taken down anew."""
    taken.clear()
    for chunk in chunks():
        taken.append(chunk)
        yield chunk


def _joined(taken: list[bytes] | None) -> bytes | None:
    return None if taken is None else b"".join(taken)


def whole(body: bytes | StreamedBody | None) -> bytes | None:
    """A body read to its end."""
    return b"".join(body.chunks()) if isinstance(body, StreamedBody) else body


def asked(
    call: HttpCall, body: bytes | None, secrets: Iterable[str], stand_ins: Mapping[str, str] | None = None
) -> RecordedRequest:
    """A request as it may be kept."""
    return _asked(call, body, Hidden(tuple(secrets), stand_ins or {}))


def _asked(call: HttpCall, body: bytes | None, known: Hidden) -> RecordedRequest:
    return RecordedRequest(
        method=call.method,
        url=_text(call.url, known),
        headers=_headers(call.headers, known, _ANEW),
        body=None if body is None else _content(body, known),
    )


def _answered(answer: HttpAnswer, known: Hidden) -> RecordedAnswer:
    return RecordedAnswer(
        status=answer.status, headers=_headers(answer.headers, known), body=_content(answer.body, known)
    )


def _failed(failure: HubError, known: Hidden) -> Failed:
    kind: Any = type(failure).__name__
    return Failed(kind=kind, code=failure.stable_code, message=_text(failure.message, known))


def _content(body: bytes, known: Hidden) -> Content:
    return Content.of(body) if len(body) > MAX_BODY_BYTES else Content.of(_without(body, known))


def _headers(headers: Mapping[str, str], known: Hidden, anew: frozenset[str] = frozenset()) -> dict[str, str]:
    """Headers by name in lower case; each is looked through as the line that it is."""
    return {
        name.lower(): CUT.decode() if name.lower() in anew else _header(name, value, known)
        for name, value in headers.items()
        if name.lower() != "content-length"  # of the body before it was cut
    }


def _header(name: str, value: str, known: Hidden) -> str:
    if name.lower() in _CHALLENGES:
        return _text(value, known)
    return _text(f"{name}: {value}", known)[len(name) + 2 :]


def _text(said: str, known: Hidden) -> str:
    return _without(said.encode("utf-8", "surrogateescape"), known).decode("utf-8", "replace")


def _without(data: bytes, known: Hidden) -> bytes:
    """Bytes without what is hidden. A cut that goes out again, when it is replayed, may be escaped as in an address."""
    return known.of(data).replace(_CUT_IN_ADDRESS, CUT)


def told(outcome: Outcome, known: Hidden) -> Told:
    """Words about an outcome: how it ended, and what the other system said, without what is hidden."""
    words = {
        "kind": outcome.kind.value,
        "code": outcome.code,
        "http_status": outcome.http_status,
        "external_id": None if outcome.external_id is None else _text(outcome.external_id, known),
        "ground": outcome.ground,
        "proves": None if outcome.proves is None else outcome.proves.value,
        "receipts": len(outcome.receipts) or None,
        "unread": len(outcome.unread) or None,
        "statements": [_statement(each, known) for each in outcome.reported] or None,
    }
    return {name: word for name, word in words.items() if word is not None}


def _statement(said: ReportedStatus, known: Hidden) -> Told:
    """A statement without the moment at which it was heard."""
    words = said.body.model_dump(mode="json", exclude_none=True)
    words.pop("at", None)
    if said.unclear is not None:
        words["unclear"] = said.unclear
    return {name: _text(word, known) if isinstance(word, str) else word for name, word in words.items()}
