"""Submission of a front end: the unified form, with the manifest of attachments and the priority beside its members."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated

from lxml import etree
from pydantic import Field, ValidationError

from hub.cases.idempotency import IdempotencyKey
from hub.cases.submission import OnUnknown
from hub.errors import Fault, InvalidInput
from hub.schemas import faults, strict_json, strict_xml, xml_rendering
from hub.schemas.envelope import MAX_ATTACHMENTS, VERSION, AppealEnvelope, AppealForm, Attachment
from hub.schemas.ids import new_id
from hub.schemas.json_rendering import MAX_MEMBERS
from hub.schemas.terms import Priority
from hub.schemas.xml_rendering import NAMESPACE

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")
IDEMPOTENCY_PATTERN = r"^[\x21-\x7e]{1,128}$"
_EXTRA = frozenset({"attachments", "priority", "on_unknown"})


class AppealSubmission(AppealForm):
    """The unified form as submitted; ``attachments`` were uploaded before (files may also travel beside it).
    ``on_unknown``: whether a topic, place or body that the registry does not know is refused, with the nearest that are
    known, or goes to the operators.
    """

    attachments: Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS)] = ()
    priority: Priority = Priority.NORMAL
    on_unknown: OnUnknown = OnUnknown.REFUSE

    def form(self) -> AppealForm:
        """The form alone. Its members were validated with this object."""
        members = {name: value for name, value in self if name not in _EXTRA}
        return AppealForm.model_construct(_fields_set=self.model_fields_set - _EXTRA, **members)


def from_json(body: bytes, limit: int) -> AppealSubmission:
    """A submission from hostile bytes. ``InvalidInput`` names every fault by JSON pointer."""
    strict_json.parse(body, max_bytes=limit, max_members=MAX_MEMBERS)
    try:
        return AppealSubmission.model_validate_json(body)
    except ValidationError as error:
        raise InvalidInput("The appeal breaks the rules of the form.", faults=faults.faults_of(error)) from None


def from_xml(body: bytes, limit: int) -> AppealSubmission:
    """A submission as XML; ``InvalidInput`` names every fault by XPath.

    The root ``submission`` holds ``on_unknown`` and ``priority`` (both optional), ``appeal`` and ``attachments``
    (optional), the latter two as in the envelope's XML rendering. So it is read as an envelope, with a header that is
    thrown away.
    """
    root = strict_xml.parse(body, max_bytes=limit)
    if root.tag != f"{{{NAMESPACE}}}submission" or root.attrib:
        fault = Fault(pointer="/*", code="xml.root", message=f"must be submission of {NAMESPACE}, without attributes")
        raise InvalidInput("This is not a submission.", faults=[fault])
    on_unknown = _on_unknown(root)
    try:
        envelope = xml_rendering.from_xml(_as_envelope(root))
    except InvalidInput as refusal:
        told = [Fault(pointer=_own_path(f.pointer), code=f.code, message=f.message) for f in refusal.faults]
        raise InvalidInput("The appeal breaks the rules of the form.", faults=told) from None
    if not isinstance(envelope, AppealEnvelope):
        fault = Fault(pointer="/submission", code="missing", message="must hold the element appeal")
        raise InvalidInput("This is not a submission.", faults=[fault])
    members = {name: getattr(envelope.body, name) for name in envelope.body.model_fields_set}
    return AppealSubmission.model_construct(
        **members, attachments=envelope.attachments, priority=envelope.header.priority, on_unknown=on_unknown
    )


def _on_unknown(root: etree._Element) -> OnUnknown:
    """Take out ``on_unknown`` and read it."""
    first = root[0] if len(root) else None
    if first is None or first.tag != f"{{{NAMESPACE}}}on_unknown":
        return OnUnknown.REFUSE
    try:
        chosen = OnUnknown(first.text or "")
    except ValueError:
        chosen = None
    if chosen is None or len(first) or first.attrib:
        fault = Fault(pointer="/submission/on_unknown", code="enum", message="must be refuse or operators")
        raise InvalidInput("The appeal breaks the rules of the form.", faults=[fault])
    root.remove(first)
    return chosen


def _as_envelope(root: etree._Element) -> bytes:
    envelope = etree.Element(f"{{{NAMESPACE}}}envelope")
    envelope.set("version", VERSION)
    envelope.text = root.text
    header = etree.SubElement(envelope, f"{{{NAMESPACE}}}header")
    for name in ("message_id", "case_id"):
        etree.SubElement(header, f"{{{NAMESPACE}}}{name}").text = str(new_id())
    etree.SubElement(header, f"{{{NAMESPACE}}}created_at").text = "2000-01-01T00:00:00Z"
    for name in ("sender", "recipient"):
        party = etree.SubElement(header, f"{{{NAMESPACE}}}{name}")
        etree.SubElement(party, f"{{{NAMESPACE}}}code").text = "00000000"
    children = list(root)
    first = bool(children) and children[0].tag == f"{{{NAMESPACE}}}priority"
    for number, child in enumerate(children):
        (header if first and number == 0 else envelope).append(child)
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def _own_path(path: str) -> str:
    """The XPath in the caller's document of an XPath in the envelope that was made of it."""
    return "/submission" + path.removeprefix("/envelope").removeprefix("/header")


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The Idempotency-Key: 1 to 128 visible ASCII characters; None if absent. ``InvalidInput`` otherwise."""
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        fault = Fault(
            pointer="header/Idempotency-Key",
            code="parameter.idempotency_key",
            message="must be 1 to 128 visible ASCII characters",
        )
        raise InvalidInput("The Idempotency-Key is not well made.", code="input.parameters", faults=[fault])
    return key


def repeatable(principal: str, key: str | None, *content: bytes) -> IdempotencyKey | None:
    """The idempotency key with the SHA-256 over all that the request says; None without a key."""
    if key is None:
        return None
    digest = hashlib.sha256()
    for part in content:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return IdempotencyKey(principal=principal, key=key, request_sha256=digest.hexdigest())
