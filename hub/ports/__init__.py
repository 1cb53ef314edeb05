"""Contracts between the use cases and the world, one file a role. More contract than code; nothing here does anything.

Who calls what: the use cases (``hub.outbound``, ``hub.inbound``, ``hub.cases``, ``hub.router``) call these;
``hub.storage``, ``hub.seals``, ``hub.adapters``, ``registry`` and the doors implement them; ``hub.bootstrap`` puts them
together. All methods may be called from several threads at once unless a docstring says otherwise. An implementation
raises errors of ``hub.errors`` only. Whoever needs one role of the store names that role.
"""

from hub.ports.acts import Acts
from hub.ports.adapter import (
    Adapter,
    Bounded,
    Explained,
    Looking,
    Mapped,
    Outlined,
    Rehearsed,
    Session,
    ShownCall,
    Stepped,
    Stepwise,
    Tested,
    TestFault,
    Transcribed,
    TriedTest,
    UnderstoodCall,
)
from hub.ports.audit import AuditFilter, AuditTrail
from hub.ports.cases import CaseFilter, CaseGrouping, CaseReads
from hub.ports.claims import Claims
from hub.ports.deliveries import DeliveryReads, LaneStates
from hub.ports.directory import Directory, Registry
from hub.ports.excerpts import Excerpt, ExcerptFile, Excerpts
from hub.ports.incoming import Dating, Outcome, RawInbound, ReportedStatus, Returned
from hub.ports.journal import InboundFilter, InboundReads
from hub.ports.listening import Listening
from hub.ports.numbers import NUMBER_TAKEN, CaseNumbers
from hub.ports.outgoing import AssignedExecutor, Parcel, Prepared, Rendering
from hub.ports.records import Records
from hub.ports.sink import InboundSink, ListSink, MailSink, NumberSink, Original
from hub.ports.store import Store
from hub.ports.transfers import Transfers, UploadFile, Uploads
from hub.ports.world import Attachments, Clock, Doorbell, Seal

__all__ = [
    "NUMBER_TAKEN",
    "Acts",
    "Adapter",
    "AssignedExecutor",
    "Attachments",
    "AuditFilter",
    "AuditTrail",
    "Bounded",
    "CaseFilter",
    "CaseGrouping",
    "CaseNumbers",
    "CaseReads",
    "Claims",
    "Clock",
    "Dating",
    "DeliveryReads",
    "Directory",
    "Doorbell",
    "Excerpt",
    "ExcerptFile",
    "Excerpts",
    "Explained",
    "InboundFilter",
    "InboundReads",
    "InboundSink",
    "LaneStates",
    "ListSink",
    "Listening",
    "Looking",
    "MailSink",
    "Mapped",
    "NumberSink",
    "Original",
    "Outcome",
    "Outlined",
    "Parcel",
    "Prepared",
    "RawInbound",
    "Records",
    "Registry",
    "Rehearsed",
    "Rendering",
    "ReportedStatus",
    "Returned",
    "Seal",
    "Session",
    "ShownCall",
    "Stepped",
    "Stepwise",
    "Store",
    "TestFault",
    "Tested",
    "Transcribed",
    "Transfers",
    "TriedTest",
    "UnderstoodCall",
    "UploadFile",
    "Uploads",
]
