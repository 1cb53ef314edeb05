"""Webhook endpoints: the file that names them, and the guarded call that brings an event to one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.errors import ConfigurationError, HubError
from hub.following.webhooks import Call, Endpoint, WebhookReply
from hub.net import auth, webhook_signing
from hub.net.http import HttpSession, check_url, retry_after
from hub.net.secrets import SecretRef, resolve
from hub.net.settings import AsTuple, HttpSettings, Url
from hub.schemas import strict_yaml
from hub.schemas.base import Code, Frozen
from hub.schemas.ids import AuthorityCode

log = logging.getLogger(__name__)
MAX_FILE_BYTES = 1_048_576


class HookSettings(HttpSettings):
    """How a webhook is called.

    ``role``: what the party is; an ``authority`` hears of its own part of cases that were sent to it.

    ``secrets``: references; while a key is changed the new and the old one. ``url`` must be https unless
    ``allow_http``; private addresses must be named in ``allow_private``. ``deadline_secs`` is total, for one attempt.
    """

    url: Url
    secrets: Annotated[tuple[SecretRef, ...], AsTuple, Field(min_length=1, max_length=4)]
    deadline_secs: int = Field(default=15, ge=1, le=30)


class EndpointSettings(HookSettings):
    """One endpoint. ``party``: whose cases it hears of, absent = all. ``types``: which events, empty = all."""

    id: Annotated[str, Code(r"[a-z0-9][a-z0-9-]{0,63}")]
    party: AuthorityCode | None = None
    role: Literal["ncc", "authority"] = "ncc"
    types: Annotated[tuple[Annotated[str, Code(r"case\.[a-z_]{1,60}")], ...], AsTuple, Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _whose(self) -> EndpointSettings:
        if self.role == "authority" and self.party is None:
            raise PydanticCustomError("webhook_party", "an endpoint of the role authority must name its party")
        return self


class _File(Frozen):
    endpoints: Annotated[tuple[EndpointSettings, ...], AsTuple, Field(max_length=100)] = ()


def read(path: Path) -> tuple[EndpointSettings, ...]:
    """The endpoints of a file; none if there is no file. ``ConfigurationError`` that names every fault."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _wrong(path, f"is larger than {MAX_FILE_BYTES} bytes")
        found = _File.model_validate(strict_yaml.load(path.read_bytes()) or {})
    except FileNotFoundError:
        return ()
    except (OSError, yaml.YAMLError) as error:
        raise _wrong(path, f"cannot be read: {strict_yaml.told(error)}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise _wrong(path, f"is wrong: {wrong}") from None
    names = [endpoint.id for endpoint in found.endpoints]
    if len(set(names)) < len(names):
        raise _wrong(path, "names an endpoint twice")
    for endpoint in found.endpoints:
        try:
            check_url(endpoint.url, endpoint.bare_policy())
        except ConfigurationError as error:
            raise _wrong(path, f"is wrong: endpoint {endpoint.id}: {error.message}") from None
    return found.endpoints


def _wrong(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} {why.removesuffix('.')}.",
        code="webhook.file",
        action="Mend the file of webhooks; `hub doctor` reads it.",
    )


class WebhookFile:
    """The endpoints in force: read again when the file changes; a broken file leaves the old ones. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._found = {endpoint.id: endpoint for endpoint in read(path)}
        self._stamp = self._now()

    def _now(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Endpoints in the order of the file."""
        with self._lock:
            stamp = self._now()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._found = {endpoint.id: endpoint for endpoint in read(self._path)}
                except ConfigurationError as error:
                    log.error(  # noqa: TRY400  # the stack tells nothing
                        "the webhooks' file is broken; the old endpoints stay", extra={"code": error.stable_code}
                    )
            return tuple(
                Endpoint(id=e.id, party=e.party, types=frozenset(e.types), body=e.role == "authority")
                for e in self._found.values()
            )

    @contextmanager
    def open(self, endpoint: Endpoint) -> Iterator[Call]:
        """A conversation with an endpoint; secrets are read now. ``ConfigurationError`` names what is missing."""
        with self._lock:
            settings = self._found.get(endpoint.id)
        if settings is None:
            raise ConfigurationError("This webhook endpoint is not in the file any more.", code="webhook.unknown")
        with conversation(settings) as call:
            yield call

    def settings(self) -> tuple[EndpointSettings, ...]:
        """Endpoints in force with all their settings."""
        self.endpoints()
        with self._lock:
            return tuple(self._found.values())


@contextmanager
def conversation(settings: HookSettings) -> Iterator[Call]:
    """Signed calls to one address; secrets are read now. ``ConfigurationError`` names what is missing."""
    keys = [webhook_signing.signing_key(resolve(reference).reveal()) for reference in settings.secrets]
    ours = auth.credential(settings)
    with HttpSession(settings.policy()) as session:

        def call(message_id: str, body: bytes) -> WebhookReply:
            now = datetime.now(UTC)
            signed = webhook_signing.headers(keys, message_id, body, now)
            hook = auth.PlannedCall(
                method="POST",
                url=settings.url,
                headers={**signed, "Content-Type": "application/json"},
                body=body,
                message_id=message_id,
                signed=body,
            )
            try:
                answer = auth.authorised(session, ours, hook, deadline_secs=settings.deadline_secs, needs_body=False)
            except HubError as error:
                return WebhookReply(status=None, code=error.stable_code)
            wait = retry_after(answer.headers.get("Retry-After"), now)
            return WebhookReply(status=answer.status, code=f"answer.http_{answer.status}", retry_after=wait)

        yield call
