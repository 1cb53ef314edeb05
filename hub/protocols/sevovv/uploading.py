"""Sending over SEV (СС1 to СС3): a session, parts from where SEV says it stands, and what the end of it proves.

A session survives a broken line and a restart of ours: opening again with the same id and the same bytes either goes
on, or says that the message is there (codes 9 and 11), which is the proof that an earlier try worked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from lxml import etree

from hub.errors import DeliveryError, HubError, OutcomeUnknown, PermanentFailure, Retry, TemporaryFailure
from hub.ports import Outcome
from hub.protocols.sevovv import codes
from hub.protocols.sevovv.building import SEV_SYSTEM
from hub.protocols.sevovv.client import Service, SessionInfo, TimeLeft
from hub.protocols.sevovv.codes import ErrorClass, SevFault
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.wire import ENUMS
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.strict_xml import MAX_TAG_BYTES

log = logging.getLogger(__name__)

EXTERNAL = "sev:"
"""Before the number of a session where it is kept as the delivery's external id: other systems count too."""
RESUMES = 4
"""How often one attempt goes on after a broken line or a session that was lost, before it is left for later."""
_ERRORS: Mapping[ErrorClass, type[DeliveryError] | None] = {
    ErrorClass.SUCCESS: None,
    ErrorClass.TRANSIENT: TemporaryFailure,
    # The channel is wrong or blocked, no message is to blame: it waits, and the lane shows as failing.
    ErrorClass.OPERATOR: TemporaryFailure,
    ErrorClass.PERMANENT: PermanentFailure,
}
_ASK = frozenset({codes.STATE_WRONG, codes.OPERATION_WRONG, codes.NOT_ADD_PART})
"""Faults on a part that say no more than that the session stands elsewhere than we think: it is asked where."""
PART_BYTES = 4_194_304
"""Largest part, whatever SEV allows: a part is held in memory, in Base64 too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Fields of a message's header that ``MessageInfo`` repeats."""

    msg_id: str
    msg_type: int
    from_org: str
    from_sys: str
    to_org: str


def route_of(skeleton: bytes) -> Route:
    """Read the first tag of a message of ours."""
    start = skeleton.index(b"<Header")
    end = skeleton.index(b">", start, start + MAX_TAG_BYTES)  # in our spelling no value holds one
    head = etree.fromstring(skeleton[start:end].rstrip(b"/") + b"/>")
    return Route(
        msg_id=head.get("msg_id", ""),
        msg_type=int(head.get("msg_type", "")),
        from_org=head.get("from_org_id", ""),
        from_sys=head.get("from_sys_id", ""),
        to_org=head.get("to_org_id", ""),
    )


@dataclass(slots=True)
class SevUpload:
    """One attempt to bring one message. ``sessions``: open sessions by message id, shared by the process."""

    service: Service
    sessions: MutableMapping[str, int]
    deadline: TimeLeft
    route: Route
    package: Package
    resumes: int = RESUMES
    part: int = 0
    _digest: str = field(default="", init=False)
    _begun: bool = field(default=False, init=False)

    def run(self) -> Outcome:
        """Bring it. Raises ``DeliveryError`` or what breaks on our side; after the first part, only what leaves it in
        doubt or is final.
        """
        try:
            info = self._brought()
        except HubError as failure:
            if self._begun and failure.retry in (Retry.LATER, Retry.MENDED):
                # The last part may have arrived although its answer, or a later question, failed.
                raise OutcomeUnknown(
                    failure.message,
                    code=failure.stable_code,
                    http_status=failure.http_status,
                    retry_after=failure.retry_after,
                ) from None
            raise
        return info if isinstance(info, Outcome) else self._ended(info)

    def _brought(self) -> SessionInfo | Outcome:
        """The session as it stands at the end, or that SEV has the message since an earlier try."""
        code = codes.UNDEFINED
        try:
            info = self._bring()
            if info.status != "Failed":
                return info
            self.sessions.pop(self.route.msg_id, None)
            code = info.error_code or codes.UNDEFINED
        except SevFault as fault:
            code = fault.code
        return there_already(code)

    def _bring(self) -> SessionInfo:
        self._digest = self.package.sha256()
        info = self._stand()
        while info.transferred < self.package.size and info.status in ("Opened", "InProgress"):
            self.deadline.check()
            info = self._step(info)
        return info

    def _stand(self) -> SessionInfo:
        """Where the message stands: the session that this process knows, else one that is opened now."""
        known = self.sessions.get(self.route.msg_id)
        if known is not None:
            try:
                return self.service.session("GetSessionInfo", self.deadline, sessionId=known)
            except SevFault as fault:
                if fault.code != codes.SESSION_NOT_FOUND:
                    raise
                self.sessions.pop(self.route.msg_id, None)
        info = self.service.session(
            "OpenUploadingSession",
            self.deadline,
            messageInfo={
                "Creator": "Sed",
                "Format": "Plain",
                "FromOrgId": self.route.from_org,
                "FromSysId": self.route.from_sys,
                "MessageId": self.route.msg_id,
                "SessionId": 0,
                "Size": self.package.size,
                "ToOrgId": self.route.to_org,
                "ToSysId": SEV_SYSTEM,
                "Type": ENUMS["MessageType"][self.route.msg_type],
            },
            hash=self._digest,
            signature=b"",  # its form is stated nowhere; systems in operation send it empty
        )
        self.sessions[self.route.msg_id] = info.id
        return info

    def _step(self, info: SessionInfo) -> SessionInfo:
        """One part. A broken line is asked about, a lost session is opened again; both only so often."""
        allowed = min(info.max_part or PART_BYTES, PART_BYTES)
        self.part = min(self.part or allowed, allowed)
        chunk = self.package.read(info.transferred, self.part)
        self._begun = True
        try:
            after = self.service.session("UploadMessageChunk", self.deadline, sessionId=info.id, messageChunk=chunk)
        except SevFault as fault:
            self._adapt(fault)
            if not self._may_go_on():
                raise
            return self._stand()
        except (OutcomeUnknown, TemporaryFailure):
            if not self._may_go_on():
                raise
            return self._stand()
        if after.transferred <= info.transferred and after.status in ("Opened", "InProgress"):
            raise OutcomeUnknown("SEV takes parts and counts none of them.", code="sevovv.no_progress")
        return after

    def _adapt(self, fault: SevFault) -> None:
        """Learn from a fault for the next try; one that teaches nothing is raised."""
        if fault.code == codes.PART_TOO_LARGE:
            self.part = max(self.part // 2, 1)
        elif fault.code == codes.SESSION_NOT_FOUND:
            self.sessions.pop(self.route.msg_id, None)
        elif fault.code not in _ASK:
            raise fault

    def _may_go_on(self) -> bool:
        """Count one resume. True if there is time and patience left."""
        self.resumes -= 1
        return self.resumes >= 0 and not self.deadline.over()

    def _ended(self, info: SessionInfo) -> Outcome:
        proves = LegalClass.DELIVERED if info.status == "Delivered" else LegalClass.SENT
        if info.status in ("Processed", "Delivered"):
            self.sessions.pop(self.route.msg_id, None)
        # Nothing was sent now, and yet it is whole: an earlier try had worked.
        kind = OutcomeKind.DELIVERED if self._begun else OutcomeKind.DUPLICATE
        return Outcome(kind=kind, external_id=f"{EXTERNAL}{info.id}", http_status=200, proves=proves)


def there_already(code: int) -> Outcome:
    """The outcome of a code that says that an earlier try worked. Any other one is raised as the error that it is.

    Told in the table's words: SEV's own text may repeat ours.
    """
    known = codes.ERRORS.get(code)
    told = f"SEV code {code}, {f'{known.name}: {known.text}' if known else 'unknown'}."
    error = _ERRORS[codes.meaning(code)]
    if error is not None:
        raise error(told, code=f"sevovv.{code}")
    return Outcome(kind=OutcomeKind.DUPLICATE, code=f"sevovv.{code}", detail=told, proves=LegalClass.SENT)
