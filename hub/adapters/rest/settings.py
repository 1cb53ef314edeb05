"""Settings of a ``rest`` channel: one closed model; what only one dialect needs stands in a section named after it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping import CONTENT, AnswerMapping, LeftOut
from hub.adapters.mapping_check import RequestCheck, left_out_slips, raise_for, tree_of
from hub.errors import ConfigurationError
from hub.net.http import check_url
from hub.net.settings import AsTuple, HttpSettings, MtlsAuth, Url, url_rule
from hub.protocols.xroad_names import ClientId, ServiceId
from hub.schemas.base import Code, Frozen
from hub.schemas.terms import Kind

_SAMPLE = str(uuid.UUID(int=0))


def _sample(template: str) -> str:
    return template.replace("{message_id}", _SAMPLE).replace("{external_id}", "x")


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


_OURS = frozenset(
    {
        *("accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host"),
        *("hub-message-id", "idempotency-key", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that are not a template's to set: the hub's own, those of the connection, and those that carry secrets."""
HeaderName: TypeAlias = Annotated[str, Code(r"[A-Za-z][A-Za-z0-9-]{0,63}")]
HeaderText: TypeAlias = Annotated[str, Code(r"[ -~]{0,500}")]


class TemplateSection(Frozen):
    """Dialect ``template``: what goes into the authority's own JSON, and what its answer means.

    ``path`` follows ``url``, with ``{message_id}`` in it where the system wants that; ``headers``: fixed ones besides.
    ``kinds``: which envelopes can be said; all others are an operator's matter. ``poll``: what the answer of
    ``status_url`` means.
    """

    method: Literal["POST", "PUT"] = "POST"
    path: Annotated[str, Code(r"(?:/(?:[A-Za-z0-9._~-]{1,100}|\{message_id\})){0,10}")] = ""
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict, max_length=20)
    kinds: list[Annotated[Kind, Field(strict=False)]] = Field(default_factory=lambda: [Kind.APPEAL], min_length=1)
    leaves_out: list[LeftOut] = Field(default_factory=list)
    request: dict[str, Any]
    answer: AnswerMapping
    poll: AnswerMapping | None = None

    @model_validator(mode="after")
    def _sayable(self) -> TemplateSection:
        if taken := sorted(name for name in self.headers if name.lower() in _OURS):
            raise PydanticCustomError("headers", "not a template's to set: {names}", {"names": ", ".join(taken)})
        tree = tree_of(self.kinds, (CONTENT,))
        slips = [
            *RequestCheck(tree).slips(self.request, ("request",)),
            *left_out_slips(self.leaves_out, tree, ("leaves_out",)),
        ]
        raise_for(slips, type(self).__name__, self)
        return self


_WITHOUT_BODY = (204, 205)
SECTIONS = ("xroad", "trembita", "template")
"""Names of dialects that have a section."""


class RestSettings(HttpSettings):
    """Settings of a ``rest`` channel. At most one section is given; without one the dialect is ``envelope``.

    ``url``: target of the POST; with a section, the address of our own security server or gateway. ``attachments``:
    ``link`` = manifest only, the authority fetches the files from the hub; ``multipart`` = the files go along;
    ``refuse`` = a message with files is an operator's matter. ``receipt``: in the ``response``, by ``callback``, or
    asked for at ``status_url`` (``poll``). ``accept_statuses``: with which a receipt or acknowledgement may come;
    absent = every 2xx that can have a body. ``duplicate_statuses``: what they answer if they have the message already.
    """

    dialect: Literal["envelope", "xroad", "trembita", "template"] | None = None
    url: Url
    format: Literal["json", "jws", "xml"] = "json"
    attachments: Literal["link", "multipart", "refuse"] = "link"
    receipt: Literal["response", "callback", "poll"] = "callback"
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
        for url in (self.url, self.status_url):
            try:
                if url is not None:
                    check_url(_sample(url), self.bare_policy())
            except ConfigurationError as error:
                raise PydanticCustomError("url", "{rule}", {"rule": error.message}) from None
        if (self.receipt == "poll") != (self.status_url is not None):
            raise PydanticCustomError("status_url", "receipt: poll and status_url belong together")
        if isinstance(self.auth, MtlsAuth) and self.client_cert is None:
            raise PydanticCustomError("client_cert", "auth type mtls needs client_cert")
        self._one_dialect()
        return self

    def _one_dialect(self) -> None:
        given = [name for name in SECTIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise PydanticCustomError("section", "sections of two dialects: {names}", {"names": ", ".join(given)})
        if self.dialect is not None and given != [name for name in (self.dialect,) if name in SECTIONS]:
            rule = "needs the section of its name" if not given else "is not that of the section"
            raise PydanticCustomError(
                "section", "the dialect {dialect} {rule}", {"dialect": self.dialect, "rule": rule}
            )
        if self.template is not None:
            self._templated(self.template)
        elif given:
            self._between()

    def _templated(self, section: TemplateSection) -> None:
        if self.attachments == "multipart":
            raise PydanticCustomError("attachments", "a template says files by name: attachments: link or refuse")
        if (section.poll is not None) != (self.receipt == "poll"):
            raise PydanticCustomError("poll", "the template's poll and receipt: poll belong together")
        if section.path and ("?" in self.url or "#" in self.url):
            raise PydanticCustomError("url", "what a path follows has no query and no fragment")

    def _between(self) -> None:
        if self.receipt == "poll":
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
