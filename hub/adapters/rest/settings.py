"""Settings of a ``rest`` channel: one closed model; what only one dialect needs stands in a section named after it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping_check import Place, Slip, raise_for
from hub.adapters.rest.section import TemplateSection
from hub.adapters.rest.steps import sample_url
from hub.errors import ConfigurationError
from hub.net.http import check_url
from hub.net.settings import AsTuple, HmacAuth, HttpSettings, MtlsAuth, Url, url_rule
from hub.protocols.xroad_names import ClientId, ServiceId
from hub.schemas.base import Code, Frozen

_SAMPLE = str(uuid.UUID(int=0))


def _sample(template: str) -> str:
    """The address of a question, which knows these two places and no other."""
    return template.replace("{message_id}", _SAMPLE).replace("{external_id}", "0")


StatusUrl = Annotated[str, url_rule(_sample)]


HeaderWord: TypeAlias = Annotated[str, Code(r"[!-~]{1,100}")]
"""What may stand in a header: visible ASCII without blanks."""


class XRoadSection(Frozen):
    """Dialect ``xroad``. ``client`` and ``service``: who calls whom; ``path``: what follows the service in the URL.

    ``user_id``: who is named as the cause. ``max_body_mb``: what the security servers on the way can log, in MiB (10
    unless they were set up otherwise); they refuse more.
    """

    client: ClientId
    service: ServiceId
    path: Annotated[str, Code(r"(?:/[A-Za-z0-9._~-]{1,100}){0,10}")] = ""
    user_id: HeaderWord | None = None
    max_body_mb: int = Field(default=10, ge=1, le=1_024)


class RestTrembitaSection(Frozen):
    """Dialect ``trembita``. ``client`` and ``service``: who calls whom.

    ``purpose_id``: declaration of purpose, where the personal data monitor (ПМДПД) is used. ``headers``: ``legacy`` is
    the older form, with ``Purpose-Id`` and the ids of message and user in the URL; ``user_id`` goes in that form only.
    """

    client: ClientId
    service: ServiceId
    purpose_id: HeaderWord | None = None
    headers: Literal["v2", "legacy"] = "v2"
    user_id: Annotated[str, Code(r"[A-Za-z0-9._-]{1,100}")] = "appeal-hub"


_WITHOUT_BODY = (204, 205)
SECTIONS = ("xroad", "trembita", "template")
"""Names of dialects that have a section."""


class RestSettings(HttpSettings):
    """Settings of a ``rest`` channel. At most one section is given; without one the dialect is ``envelope``.

    ``url``: target of the POST; with a section, the address of our own security server or gateway. ``attachments``:
    ``link`` = manifest only, the authority fetches the files from the hub; ``multipart`` = the files go along;
    ``refuse`` = a message with files is an operator's matter. ``receipt``: in the ``response``, by ``callback``, or
    asked for at ``status_url`` (``poll``), or read from one list (``changes``). ``accept_statuses``: with which a
    receipt or acknowledgement may come; absent = every 2xx that can have a body. ``duplicate_statuses``: what they
    answer if they have the message already.
    """

    dialect: Literal["envelope", "xroad", "trembita", "template"] | None = None
    url: Url
    format: Literal["json", "jws", "xml"] = "json"
    attachments: Literal["link", "multipart", "refuse"] = "link"
    receipt: Literal["response", "callback", "poll", "changes"] = "callback"
    status_url: StatusUrl | None = None
    accept_statuses: (
        Annotated[tuple[Annotated[int, Field(ge=200, le=299)], ...], AsTuple, Field(min_length=1, max_length=10)] | None
    ) = None
    duplicate_statuses: Annotated[tuple[Annotated[int, Field(ge=400, le=499)], ...], AsTuple, Field(max_length=10)] = (
        409,
    )
    xroad: XRoadSection | None = None
    trembita: RestTrembitaSection | None = None
    template: TemplateSection | None = None

    def accepts(self, status: int) -> bool:
        """True if a statement in our favour may come with this status."""
        if self.accept_statuses is not None:
            return status in self.accept_statuses
        return 200 <= status < 300 and status not in _WITHOUT_BODY

    @model_validator(mode="after")
    def _together(self) -> RestSettings:
        raise_for(self._slips(), type(self).__name__, self)
        if isinstance(self.auth, MtlsAuth) and self.client_cert is None:
            raise PydanticCustomError("client_cert", "auth type mtls needs client_cert")
        self._one_dialect()
        return self

    def _slips(self) -> Iterator[Slip]:
        yield from self._callable(self.url, ("url",))
        yield from self._callable(self.status_url, ("status_url",))
        if (self.receipt == "poll") != (self.status_url is not None):
            given = "receipt" if self.receipt == "poll" else "status_url"
            yield Slip((given,), "status_url", "receipt: poll and status_url belong together")
        if self.template is not None and self.status_url is not None and _sample(self.status_url) == self.status_url:
            yield Slip(
                ("status_url",),
                "status_url",
                "names no message: write {external_id} (their id) or {message_id} (ours) into it",
            )

    def _one_dialect(self) -> None:
        given = [name for name in SECTIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise PydanticCustomError("section", "sections of two dialects: {names}", {"names": ", ".join(given)})
        if self.dialect is not None and given != [name for name in (self.dialect,) if name in SECTIONS]:
            rule = "needs the section of its name" if not given else "is not that of the section"
            raise PydanticCustomError(
                "section", "the dialect {dialect} {rule}", {"dialect": self.dialect, "rule": rule}
            )
        if self.receipt == "changes" and self.template is None:
            raise PydanticCustomError("receipt", "receipt: changes goes with a template")
        if self.template is not None:
            self._templated(self.template)
        elif given:
            self._between()

    def _templated(self, section: TemplateSection) -> None:
        if self.attachments == "multipart":
            raise PydanticCustomError("attachments", "a template says files by name: attachments: link or refuse")
        if isinstance(self.auth, HmacAuth) and section.carries_files:
            raise PydanticCustomError("auth", "hmac signs the document without files: not with files that go along")
        if (section.poll is not None) != (self.receipt == "poll"):
            raise PydanticCustomError("poll", "the template's poll and receipt: poll belong together")
        self._listed(section)
        for name in ("before", "after"):
            for number, step in enumerate(getattr(section, name)):
                at: Place = ("template", name, number, "url")
                raise_for(self._callable(step.url, at), type(self).__name__, self)
        if section.path and ("?" in self.url or "#" in self.url):
            raise PydanticCustomError("url", "what a path follows has no query and no fragment")

    def _listed(self, section: TemplateSection) -> None:
        changes = section.changes
        if (changes is None and self.receipt == "changes") or (changes is not None and self.receipt == "callback"):
            raise PydanticCustomError(
                "changes", "the template's changes and receipt: changes (or poll) belong together"
            )
        if changes is None:
            return
        if changes.document is not None and self.receipt != "poll":
            raise PydanticCustomError("changes", "document is asked for at status_url: receipt: poll")
        more = changes.pages.token_url if changes.pages is not None else None
        at: Place = ("template", "changes")
        slips = [*self._callable(changes.url, (*at, "url")), *self._callable(more, (*at, "pages", "token_url"))]
        raise_for(slips, type(self).__name__, self)

    def _callable(self, url: str | None, at: Place) -> Iterator[Slip]:
        try:
            if url is not None:
                check_url(_sample(url) if at == ("status_url",) else sample_url(url), self.bare_policy())
        except ConfigurationError as error:
            yield Slip(at, "url", error.message)

    def _between(self) -> None:
        if self.receipt in ("poll", "changes"):
            raise PydanticCustomError("receipt", "between systems in the middle nobody is asked: not receipt: poll")
        if "?" in self.url or "#" in self.url:
            raise PydanticCustomError("url", "the address of a security server has no query and no fragment")
        if self.xroad is not None and self.xroad.service.count("/") != 4:
            raise PydanticCustomError("service", "a REST service is instance/class/member/subsystem/service")
        if self.trembita is not None:
            self._readable(self.trembita)

    def _readable(self, section: RestTrembitaSection) -> None:
        """The personal data monitor must be able to read what goes over Trembita; files are fetched."""
        if self.format != "json" or self.attachments == "multipart":
            raise PydanticCustomError("format", "over Trembita: format: json, and attachments: link or refuse")
        if not (section.client + section.service).isascii():
            raise PydanticCustomError("service", "codes in headers are ASCII")
