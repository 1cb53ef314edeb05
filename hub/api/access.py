"""Access: which role may use which door, for whose cases, and where personal data of applicants is shown.

The one table: the doors ask it, the page of roles and the tests of roles are made from it. Whoever runs the hub
(operator, engineer, auditor) is a person: each act and each view of personal data is kept in the audit trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.api.auth import CallerRole


class Reach(StrEnum):
    """Part of the hub's cases that a role reaches through a door. ``own``: what its party submitted, or was sent."""

    OWN = "own"
    ALL = "all"


class Personal(StrEnum):
    """Personal data of applicants at a door. ``sought``: it tells who has a case if one asks by a person's
    name, phone or e-mail.
    """

    NONE = "none"
    SHOWN = "shown"
    SOUGHT = "sought"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorAccess:
    """Roles that may use one door, and how far each reaches."""

    reach: Mapping[CallerRole, Reach]
    personal: Personal = Personal.NONE


SOAP: Final = "SOAP"
"""Method of the operations of ``/soap/hub``, which stand in the table by their names."""
PEOPLE: Final = frozenset({CallerRole.OPERATOR, CallerRole.ENGINEER, CallerRole.AUDITOR})
"""Roles of people: what they do and see is audited."""
SOUGHT_BY: Final = ("applicant", "phone", "email")
"""Parameters that ask by a person."""

_COLUMNS: Final = (
    CallerRole.NCC,
    CallerRole.AUTHORITY,
    CallerRole.OPERATOR,
    CallerRole.ENGINEER,
    CallerRole.AUDITOR,
)
_REACH: Final = {"own": Reach.OWN, "all": Reach.ALL}
_PERSONAL: Final = {"": Personal.NONE, "personal": Personal.SHOWN, "sought": Personal.SOUGHT}
_TABLE: Final = """
#                                         ncc  authority operator engineer auditor
POST /v1/appeals                          own  -         -        -        -
POST /v1/appeals/batch                    own  -         -        -        -
POST /v1/envelopes                        own  own       -        -        -
POST /v1/attachments                      own  own       -        -        -
GET  /v1/attachments/{sha256}             own  own       all      -        all   personal
GET  /v1/cases                            own  own       all      -        all   sought
GET  /v1/cases.csv                        own  own       all      -        all   sought
GET  /v1/cases/counts                     own  own       all      -        all   sought
GET  /v1/cases/{id}                       own  own       all      -        all   personal
GET  /v1/cases/{id}/timeline              own  own       all      -        all
GET  /v1/cases/{id}/chain                 own  -         all      -        all
GET  /v1/cases/{id}/evidence              own  -         all      -        all   personal
GET  /v1/cases/{id}/likeness              own  -         all      -        all
POST /v1/cases/{id}/messages              own  -         -        -        -
GET  /v1/cases/{id}/messages/{message}    own  own       all      -        all   personal
GET  /v1/groups                           own  -         all      -        all
GET  /v1/events                           own  own       all      -        all
GET  /v1/events/stream                    own  own       all      -        all
GET  /v1/reports/{kind}                   own  own       all      all      all
GET  /v1/reports/surges                   own  own       all      all      all
GET  /v1/classifiers                      all  -         all      all      all
GET  /v1/classifiers/topics               all  -         all      all      all
GET  /v1/classifiers/territories          all  -         all      all      all
GET  /v1/classifiers/authorities          all  -         all      all      all
POST /v1/route                            all  -         all      all      -
GET  /v1/inbox                            -    own       -        -        -
GET  /v1/inbox/{id}                       -    own       -        -        -
POST /v1/inbox/{id}/receipt               -    own       -        -        -
POST /v1/callbacks/{channel_id}           -    own       -        -        -
GET  /v1/ops/items                        -    -         all      -        all
GET  /v1/ops/inbound                      -    -         all      -        all
GET  /v1/ops/pen                          -    -         all      -        all
GET  /v1/ops/inbound/{id}                 -    -         all      -        all   personal
GET  /v1/ops/inbound/{id}/raw             -    -         all      -        all   personal
POST /v1/ops/inbound/{id}/attach          -    -         all      -        -
POST /v1/ops/inbound/{id}/decide          -    -         all      -        -
POST /v1/ops/inbound/{id}/dismiss         -    -         all      -        -
POST /v1/ops/cases/{id}/statements        -    -         all      -        -
POST /v1/ops/cases/{id}/assign            -    -         all      -        -
POST /v1/ops/cases/{id}/close             -    -         all      -        -
POST /v1/ops/cases/{id}/conclude          -    -         all      -        -
GET  /v1/ops/dead-letters                 -    -         all      all      all
POST /v1/ops/dead-letters/{id}/replay     -    -         all      -        -
POST /v1/ops/deliveries/{id}/channel      -    -         all      -        -
GET  /v1/ops/deliveries/{id}/attempts     -    -         all      -        all   personal
GET  /v1/ops/groups                       -    -         all      all      all
GET  /v1/ops/acts                         -    -         all      all      all
POST /v1/ops/acts                         -    -         all      -        -
GET  /v1/ops/acts/{id}                    -    -         all      all      all
POST /v1/ops/acts/{id}/pause              -    -         all      -        -
POST /v1/ops/acts/{id}/resume             -    -         all      -        -
POST /v1/ops/acts/{id}/undo               -    -         all      -        -
GET  /v1/ops/shadows                      -    -         all      all      all
GET  /v1/ops/lanes                        -    -         all      all      all
POST /v1/ops/lanes/{channel_id}/pause     -    -         all      all      -
POST /v1/ops/lanes/{channel_id}/resume    -    -         all      all      -
GET  /v1/ops/alarms                       -    -         all      all      all
GET  /v1/ops/expiry                       -    -         all      all      all
GET  /v1/ops/webhooks                     -    -         all      all      all
POST /v1/ops/webhooks/{id}/enable         -    -         all      all      -
POST /v1/ops/webhooks/{id}/replay         -    -         all      all      -
GET  /v1/ops/audit                        -    -         -        -        all
SOAP SubmitEnvelope                       own  own       -        -        -
SOAP ListInbox                            -    own       -        -        -
SOAP FetchMessage                         -    own       -        -        -
SOAP FetchFile                            own  own       -        -        -
SOAP Acknowledge                          -    own       -        -        -
SOAP GetStatus                            own  own       -        -        -
"""


def _read(table: str) -> dict[tuple[str, str], DoorAccess]:
    """The table's lines, by method and path."""
    found: dict[tuple[str, str], DoorAccess] = {}
    for line in table.strip().splitlines()[1:]:
        method, path, *cells = line.split()
        reach = {role: _REACH[cell] for role, cell in zip(_COLUMNS, cells[:5], strict=True) if cell != "-"}
        found[method, path] = DoorAccess(reach=reach, personal=_PERSONAL[cells[5] if len(cells) > 5 else ""])
    return found


ACCESS: Final = _read(_TABLE)


def told() -> str:
    """The table for the page of doors, as Markdown."""
    head = ("door", *(f"`{role.value}`" for role in _COLUMNS), "personal data")
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    for (method, path), door in ACCESS.items():
        cells = [door.reach[role].value if role in door.reach else "–" for role in _COLUMNS]
        personal = "" if door.personal is Personal.NONE else door.personal.value
        lines.append("| " + " | ".join([f"`{method} {path}`", *cells, personal]).rstrip() + " |")
    return "\n".join(lines)
