"""Settings of a ``soap`` channel: one closed model; what only one dialect needs stands in a section named after it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping_check import Slip, raise_for
from hub.errors import ConfigurationError
from hub.net.http import check_url
from hub.net.secrets import SecretRef
from hub.net.settings import FilePath, HttpSettings, MtlsAuth, NoAuth, Url
from hub.protocols.soap.security_settings import NoSecurity, Security, X509Security
from hub.protocols.soap.wire import SoapVersion
from hub.protocols.xroad_names import ClientId, ServiceId
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.ids import AuthorityCode, Sha256

Name: TypeAlias = Annotated[str, Code(r"[A-Za-z_][A-Za-z0-9._-]{0,99}")]
"""Name of an element, service, port or operation."""


class EnvelopeSection(Frozen):
    """Dialect ``envelope``. ``content``: the sealed envelope as base64 in the body, or as an MTOM part.

    ``attachments``: ``link`` = manifest only; ``mtom``, ``swa`` = files go along; ``refuse`` = an operator's matter.
    ``receipt``: in the ``response``, by ``callback``, or asked for with GetReceipts (``poll``).
    """

    format: Literal["json", "jws", "xml"] = "json"
    content: Literal["base64", "mtom"] = "base64"
    attachments: Literal["link", "mtom", "swa", "refuse"] = "link"
    receipt: Literal["response", "callback", "poll"] = "callback"

    @model_validator(mode="after")
    def _parts_fit(self) -> EnvelopeSection:
        if self.content == "mtom" and self.attachments == "swa":
            raise PydanticCustomError("attachments", "content: mtom and attachments: swa do not go together")
        return self


class WsdlSection(Frozen):
    """Dialect ``wsdl``. ``folder``: the pinned description with its mapping; ``sha256``: the pin.

    ``attachments``: ``link``, ``swa`` or ``refuse``, as for ``envelope``; ``inline``: in base64 where the mapping says
    ``$item.content``; ``mtom``: as parts to which those places refer (XOP). ``poll_url``: where the question goes what
    became of a message, if not to ``url``.
    """

    folder: FilePath
    sha256: Sha256
    format: Literal["json", "jws", "xml"] = "xml"
    attachments: Literal["link", "swa", "inline", "mtom", "refuse"] = "link"
    poll_url: Url | None = None

    @property
    def places_files(self) -> bool:
        """True if files go to the places that the mapping gives them."""
        return self.attachments in ("inline", "mtom")


class SoapTrembitaSection(Frozen):
    """Dialect ``trembita``. ``client`` and ``service``: who calls whom; ``user_id``: who is named as the cause.

    Without ``description``, the body is ``<wrapper><element>base64 of the sealed envelope</element></wrapper>`` in
    ``namespace``; with it, the mapping says what the body is.
    """

    client: ClientId
    service: ServiceId
    user_id: Annotated[str, Line(100)] = "appeal-hub"
    format: Literal["json", "jws", "xml"] = "xml"
    namespace: Annotated[str, Line(300)] = "urn:ua:appeal-hub:soap:1"
    wrapper: Name | None = None
    element: Name = "EnvelopeXml"
    description: WsdlSection | None = None


class SevOvvSection(Frozen):
    """Dialect ``sevovv``. ``system_id`` and ``password``: the account at SEV; ``org_id``: the contact centre's code.

    ``collect``: this channel fetches SEV's input queue for all authorities, and nothing is sent over it.
    ``first_author``: some systems show the first author only. ``max_message_mb``: largest message with its files, in
    MiB. ``ask``: whether SEV is asked if the addressee has fetched a message. ``notices``: whether replies are
    acknowledged to their senders (ДС13, ДС14).
    """

    system_id: Annotated[str, Code(r"[0-9A-Za-z{][0-9A-Za-z{}-]{0,63}")]
    password: SecretRef
    org_id: AuthorityCode
    system_name: Annotated[str, Line(200)] = "Хаб звернень"
    format: Literal["json", "jws", "xml"] = "json"
    collect: bool = False
    first_author: Literal["applicant", "centre"] = "applicant"
    max_message_mb: int = Field(default=40, ge=1, le=1_024)
    ask: bool = True
    notices: bool = True


SECTIONS = ("envelope", "wsdl", "trembita", "sevovv")
"""Names of dialects that have a section."""


class SoapSettings(HttpSettings):
    """Settings of a ``soap`` channel. ``url``: where calls go (a WSDL's own address is never used).

    ``soap``: version of the envelopes; dialect ``wsdl`` takes that of its port. At most one section is given.
    """

    dialect: Annotated[str, Code(r"[a-z][a-z0-9_]{0,31}")] | None = None
    url: Url
    soap: Annotated[SoapVersion, Field(strict=False)] = SoapVersion.V11
    security: Security = NoSecurity()
    envelope: EnvelopeSection | None = None
    wsdl: WsdlSection | None = None
    trembita: SoapTrembitaSection | None = None
    sevovv: SevOvvSection | None = None

    @model_validator(mode="after")
    def _together(self) -> SoapSettings:
        try:
            for url in filter(None, (self.url, self.wsdl.poll_url if self.wsdl else None)):
                check_url(url, self.bare_policy())
        except ConfigurationError as error:
            raise_for([Slip(("url",), "url", error.message)], type(self).__name__, self)
        given = [name for name in SECTIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise PydanticCustomError("section", "sections of two dialects: {names}", {"names": ", ".join(given)})
        if self.dialect is not None and given and given != [self.dialect]:
            raise PydanticCustomError("section", "the channel's dialect is {dialect}", {"dialect": self.dialect})
        if isinstance(self.auth, MtlsAuth) and self.client_cert is None:
            raise PydanticCustomError("client_cert", "auth type mtls needs client_cert")
        if self.sevovv is not None:
            self._known_by_its_account()
        if self.envelope and self.envelope.content == "mtom" and not isinstance(self.security, NoSecurity):
            raise PydanticCustomError("security", "a security header goes with content: base64 only")
        self._files_fit()
        return self

    def _files_fit(self) -> None:
        """Refuse files in a body that travels in Trembita's message, or that is signed before they are put in."""
        described = self.wsdl or (self.trembita.description if self.trembita else None)
        if described is None or not described.places_files:
            return
        if self.trembita is not None:
            raise PydanticCustomError("attachments", "files do not travel in a body over Trembita: attachments: link")
        if isinstance(self.security, X509Security) or self.auth.type == "hmac":
            raise PydanticCustomError("attachments", "what is signed goes with attachments: link, swa or refuse only")

    def _known_by_its_account(self) -> None:
        """SEV knows the hub by the account in its own section; what would be ignored is refused."""
        if not isinstance(self.auth, NoAuth | MtlsAuth) or not isinstance(self.security, NoSecurity):
            raise PydanticCustomError("auth", "SEV is told system_id and password: no auth (but mtls) and no security")
