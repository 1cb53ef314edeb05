"""Sending over SEV (СС1 to СС3): a session, parts from where SEV says it stands, and what the end of it proves.

A session survives a broken line and a restart of ours: opening again with the same id and the same bytes either goes
on, or says that the message is there (codes 9 and 11), which is the proof that an earlier try worked.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace

from lxml import etree

from hub.adapters.sevovv import codes
from hub.adapters.sevovv.building import SEV_SYSTEM
from hub.adapters.sevovv.client import Deadline, Service, SessionInfo
from hub.adapters.sevovv.codes import ErrorClass, SevFault
from hub.adapters.sevovv.package import Package
from hub.adapters.sevovv.wire import ENUMS
from hub.errors import DeliveryError, HubError, OutcomeUnknown, TemporaryFailure, Unavailable
from hub.ports import Outcome
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.strict_xml import MAX_TAG_BYTES

log = logging.getLogger(__name__)

EXTERNAL = "sev:"
"""Before the number of a session where it is kept as the delivery's external id: other systems count too."""
RESUMES = 4
"""How often one attempt goes on after a broken line or a session that was lost, before it is left for later."""
_KINDS = {
    ErrorClass.SUCCESS: OutcomeKind.DUPLICATE,
    ErrorClass.TRANSIENT: OutcomeKind.TEMPORARY,
    # The channel is wrong or blocked, no message is to blame: it waits, and the lane shows as failing.
    ErrorClass.OPERATOR: OutcomeKind.TEMPORARY,
    ErrorClass.PERMANENT: OutcomeKind.PERMANENT,
}
_ASK = frozenset({codes.STATE_WRONG, codes.OPERATION_WRONG, codes.NOT_ADD_PART})
"""Faults on a part that say no more than that the session stands elsewhere than we think: it is asked where."""
PART_BYTES = 4_194_304
"""Largest part, whatever SEV allows: a part is held in memory, in Base64 too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What ``MessageInfo`` repeats of a message's header."""

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
class Upload:
    """One attempt to bring one message. ``sessions``: open sessions by message id, shared by the process."""

    service: Service
    sessions: MutableMapping[str, int]
    deadline: Deadline
    route: Route
    package: Package
    resumes: int = RESUMES
    part: int = 0
    _digest: str = field(default="", init=False)
    _begun: bool = field(default=False, init=False)

    def run(self) -> Outcome:
        """Bring it. Never raises for what SEV does."""
        outcome = self._tried()
        if outcome.kind is OutcomeKind.TEMPORARY and self._begun:
            # The last part may have arrived although its answer, or a later question, failed.
            return replace(outcome, kind=OutcomeKind.UNKNOWN)
        return outcome

    def _tried(self) -> Outcome:
        try:
            return self._ended(self._bring())
        except SevFault as fault:
            return outcome_of(fault.code)
        except OutcomeUnknown as failure:
            return _failed(OutcomeKind.UNKNOWN, failure)
        except TemporaryFailure as failure:
            return _failed(OutcomeKind.TEMPORARY, failure)
        except Unavailable as failure:
            return Outcome(kind=OutcomeKind.TEMPORARY, code=failure.stable_code, detail=failure.message)
        except HubError as failure:
            return Outcome(kind=OutcomeKind.PERMANENT, code=failure.stable_code, detail=failure.message)

    def _bring(self) -> SessionInfo:
        self._digest = self.package.sha256()
        info = self._stand()
        while info.transferred < self.package.size and info.status in ("Opened", "InProgress"):
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
        """What a fault teaches for the next try; one that teaches nothing is raised."""
        if fault.code == codes.PART_TOO_LARGE:
            self.part = max(self.part // 2, 1)
        elif fault.code == codes.SESSION_NOT_FOUND:
            self.sessions.pop(self.route.msg_id, None)
        elif fault.code not in _ASK:
            raise fault

    def _may_go_on(self) -> bool:
        """Whether there is time and patience left."""
        self.resumes -= 1
        return self.resumes >= 0 and not self.deadline.over()

    def _ended(self, info: SessionInfo) -> Outcome:
        if info.status == "Failed":
            self.sessions.pop(self.route.msg_id, None)
            return outcome_of(info.error_code or codes.UNDEFINED)
        proves = LegalClass.DELIVERED if info.status == "Delivered" else LegalClass.SENT
        if info.status in ("Processed", "Delivered"):
            self.sessions.pop(self.route.msg_id, None)
        # Nothing was sent now, and yet it is whole: an earlier try had worked.
        kind = OutcomeKind.DELIVERED if self._begun else OutcomeKind.DUPLICATE
        return Outcome(kind=kind, external_id=f"{EXTERNAL}{info.id}", http_status=200, proves=proves)


def outcome_of(code: int) -> Outcome:
    """A code of SEV as an outcome, by its class. Told in the table's words: SEV's text may repeat ours."""
    kind = _KINDS[codes.meaning(code)]
    known = codes.ERRORS.get(code)
    named = f"{known.name}: {known.text}" if known else "unknown"
    return Outcome(
        kind=kind,
        code=f"sevovv.{code}",
        detail=f"SEV code {code}, {named}.",
        proves=LegalClass.SENT if kind is OutcomeKind.DUPLICATE else None,
    )


def _failed(kind: OutcomeKind, failure: DeliveryError) -> Outcome:
    return Outcome(
        kind=kind,
        code=failure.stable_code,
        detail=failure.message,
        http_status=failure.http_status,
        retry_after=failure.retry_after,
    )
