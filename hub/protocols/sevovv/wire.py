"""The service ``ICoverIntegrationService`` on the wire, both ways: SOAP 1.1, document/literal.

One table of operations and types serves the client, the server and the simulated node. Members of a type stand in
alphabetical order, as WCF's data contracts demand. The one parameter of ``GetInputMessages`` begins with a Cyrillic
letter (``сount``, U+0441): it is written so, and its Latin look-alike is read as well. What is read is bound by local
name, in any order and with any prefix; what is not known is skipped, as WCF does. Values are plain mappings.

Source: wsdl-official-2019 (IntegrationService.wsdl, Cover.Contracts.xsd, tempuri.org.xsd, Arrays.xsd).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, cast

from lxml import etree

from hub.errors import InvalidInput, TooLarge
from hub.protocols.sevovv.codes import OBJECT_NULL, UNDEFINED, SevFault
from hub.schemas import strict_xml

SERVICE = "http://tempuri.org/"
CONTRACTS = "http://schemas.datacontract.org/2004/07/Cover.Contracts"
ARRAYS = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
ACTION = SERVICE + "ICoverIntegrationService/"
CONTENT_TYPE = "text/xml; charset=utf-8"
COUNT = "\u0441ount"
"""The parameter of ``GetInputMessages``, as the WSDL spells it."""

_BASE64_STEP: Final = 131_072

Values = Mapping[str, Any]

TYPES: dict[str, tuple[tuple[str, str], ...]] = {
    "Identity": (("Password", "string"), ("SystemId", "string")),
    "MessageInfo": (
        ("CreationDate", "dateTime"),
        ("Creator", "MessageCreator"),
        ("Format", "DataTransferFormat"),
        ("FromOrgId", "string"),
        ("FromSysId", "string"),
        ("MessageId", "string"),
        ("SessionId", "long"),
        ("Size", "long"),
        ("ToOrgId", "string"),
        ("ToSysId", "string"),
        ("Type", "MessageType"),
    ),
    "SessionInfo": (
        ("Error", "CommunicationError"),
        ("MaxPartSize", "int"),
        ("MessageId", "string"),
        ("MessageSize", "long"),
        ("SessionId", "long"),
        ("Status", "SessionStatus"),
        ("TransferredBytesCount", "long"),
        ("Type", "SessionType"),
    ),
    "CommunicationError": (("Code", "int"), ("Text", "string")),
    "DownloadChunkResponse": (("MessageChunk", "base64Binary"), ("Session", "SessionInfo")),
    "MessageValidationInfo": (("Hash", "string"), ("Session", "SessionInfo"), ("Signature", "base64Binary")),
}
"""Complex types of the contracts, members in the order in which they are sent."""
LISTS = {
    "ArrayOfSessionInfo": ("SessionInfo", CONTRACTS),
    "ArrayOfMessageInfo": ("MessageInfo", CONTRACTS),
    "ArrayOflong": ("long", ARRAYS),
}
ENUMS = {
    "MessageCreator": ("Sed", "Sev"),
    "DataTransferFormat": ("Plain", "SevenZipArchive"),
    "MessageType": ("Notification", "Document", "DocumentAddition", "ReplayDocument", "ReplayDocumentAddition"),
    "SessionStatus": ("Opened", "InProgress", "Processed", "Failed", "Delivered"),
    "SessionType": ("Upload", "Download"),
}
"""Enumerations travel as words. ``MessageType`` stands in the order of ``msg_type`` 0 to 4."""
_RANGES = {"int": 2**31, "long": 2**63}


@dataclass(frozen=True, slots=True)
class SevOperation:
    """One operation: its arguments in order, and the type of its result."""

    name: str
    arguments: tuple[tuple[str, str], ...]
    result: str


_ID = ("identity", "Identity")
_SESSION = ("sessionId", "long")
OPERATIONS: dict[str, SevOperation] = {
    each.name: each
    for each in (
        SevOperation(
            "OpenUploadingSession",
            (_ID, ("messageInfo", "MessageInfo"), ("hash", "string"), ("signature", "base64Binary")),
            "SessionInfo",
        ),
        SevOperation("UploadMessageChunk", (_ID, _SESSION, ("messageChunk", "base64Binary")), "SessionInfo"),
        SevOperation("OpenDownloadingSession", (_ID, ("messageId", "string")), "SessionInfo"),
        SevOperation(
            "DownloadMessageChunk",
            (_ID, _SESSION, ("fromPosition", "long"), ("count", "long")),
            "DownloadChunkResponse",
        ),
        SevOperation("GetMessageValidationInfo", (_ID, _SESSION), "MessageValidationInfo"),
        SevOperation("EndProcessingDownloadedMessage", (_ID, ("sessionInfo", "SessionInfo")), "SessionInfo"),
        SevOperation("GetSessionsInfo", (_ID, ("sessionsIds", "ArrayOflong")), "ArrayOfSessionInfo"),
        SevOperation("GetSessionInfo", (_ID, _SESSION), "SessionInfo"),
        SevOperation("GetInputMessages", (_ID, (COUNT, "int")), "ArrayOfMessageInfo"),
        SevOperation(
            "GetHistory",
            (_ID, ("fromDateTime", "dateTime"), ("toDateTime", "dateTime"), ("count", "int")),
            "ArrayOfMessageInfo",
        ),
        SevOperation("GetVersion", (), "string"),
    )
}
_MOST_MARKUP: Final = 20_000
_MOST_PASSWORDS: Final = 3
_PASSWORD: Final = re.compile(
    rb"<(?:[A-Za-z_][\w.-]{0,30}:)?Password(?:\s[^<>]{0,500})?>(?:<!\[CDATA\[)?([^<\]]{1,500})(?:\]\]>)?</"
)
_LOOK_ALIKES = {("GetInputMessages", "count"): COUNT}


# Writing


def request(operation: SevOperation, values: Values) -> bytes:
    """The SOAP envelope of a call."""
    body, root = _envelope()
    call = etree.SubElement(body, f"{{{SERVICE}}}{operation.name}", nsmap=_default(SERVICE))
    for name, kind in operation.arguments:
        _write(call, SERVICE, name, kind, values.get(name))
    return _bytes(root)


def response(operation: SevOperation, result: Any) -> bytes:
    """The SOAP envelope of an answer."""
    body, root = _envelope()
    answer = etree.SubElement(body, f"{{{SERVICE}}}{operation.name}Response", nsmap=_default(SERVICE))
    # The real bus writes the result with this prefix, and clients made for it compare names with their prefix.
    _write(answer, SERVICE, f"{operation.name}Result", operation.result, result, prefix="s01")
    return _bytes(root)


def fault(error: SevFault) -> bytes:
    """The SOAP envelope of ``CommunicationError``; goes with HTTP status 500 (SOAP 1.1 section 6.2)."""
    body, root = _envelope()
    made = etree.SubElement(body, f"{{{SOAP}}}Fault")
    etree.SubElement(made, "faultcode").text = "s:Client"
    etree.SubElement(made, "faultstring").text = error.text
    detail = etree.SubElement(made, "detail")
    _write(detail, CONTRACTS, "CommunicationError", "CommunicationError", {"Code": error.code, "Text": error.text})
    return _bytes(root)


def _envelope() -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "i": XSI})
    return etree.SubElement(root, f"{{{SOAP}}}Body"), root


def _default(space: str) -> dict[str, str]:
    """A namespace without a prefix; lxml spells that ``None``, which its stubs do not know."""
    return cast(dict[str, str], {None: space})


def _bytes(root: etree._Element) -> bytes:
    return b'<?xml version="1.0" encoding="utf-8"?>' + etree.tostring(root, encoding="utf-8")


def _write(parent: etree._Element, space: str, name: str, kind: str, value: Any, prefix: str | None = None) -> None:
    """One element; nothing is written for None (every member may be absent)."""
    if value is None:
        return
    element = etree.SubElement(parent, f"{{{space}}}{name}", nsmap={prefix: space} if prefix else _default(space))
    if kind in TYPES:
        for member, member_kind in TYPES[kind]:
            _write(element, CONTRACTS, member, member_kind, value.get(member))
    elif kind in LISTS:
        item, item_space = LISTS[kind]
        for each in value:
            _write(element, item_space, item, item, each)
    elif kind == "base64Binary":
        element.text = base64.b64encode(value).decode()
    elif kind == "dateTime":
        element.text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    else:
        element.text = str(value)


# Reading


def read_request(body: bytes, *, max_bytes: int, charset: str | None = None) -> tuple[SevOperation, dict[str, Any]]:
    """The operation that is called, and its arguments. ``InvalidInput`` if the bytes are no such call,
    ``SevFault`` if a value is not of its type.
    """
    if body.count(b"<") > _MOST_MARKUP:
        raise TooLarge("The call holds more elements than any operation takes.", code="sevovv.elements")
    call = _content(body, max_bytes, charset)
    operation = OPERATIONS.get(etree.QName(call).localname)
    if operation is None:
        raise InvalidInput("The service has no such operation.", code="sevovv.operation")
    return operation, _members(call, dict(operation.arguments), operation.name)


def passwords_in(head: bytes) -> Iterator[str]:
    """Values of the elements ``Password`` in the beginning of a call, of which the rest has not come yet. For a door
    that hears nobody out whom it does not know: who really calls is read from the whole call (``read_request``).
    """
    for found in islice(_PASSWORD.finditer(head.replace(b"\x00", b"")), _MOST_PASSWORDS):
        yield found[1].decode("ascii", "replace").strip()


def read_identity(body: bytes, *, max_bytes: int, charset: str | None = None) -> tuple[str, Values]:
    """Operation and ``Identity`` of a call whose other values cannot be read. ``InvalidInput`` if it is no call."""
    call = _content(body, max_bytes, charset)
    found = _members(call, {"identity": "Identity"}, "", lenient=True)
    return etree.QName(call).localname, found.get("identity") or {}


def read_response(operation: SevOperation, body: bytes, *, max_bytes: int, charset: str | None = None) -> Any:
    """The result of a call. Raises ``SevFault`` if it is one, ``InvalidInput`` if it is no answer to this call."""
    answer = _content(body, max_bytes, charset)
    name = etree.QName(answer).localname
    if name == "Fault":
        raise _fault_of(answer)
    if name != f"{operation.name}Response":
        raise InvalidInput("The answer belongs to another call.", code="sevovv.answer")
    name = f"{operation.name}Result"
    _raise_error_in(answer)
    for result in answer.iterchildren(etree.Element):
        if etree.QName(result).localname == name:
            _check_result(result, operation.result)
    return _members(answer, {name: operation.result}, "", lenient=True).get(name)


def _check_result(result: etree._Element, kind: str) -> None:
    """Raise for an error that stands where a result should: a list with an error in it is no empty one, and neither is
    one with words in it. A session says its own error.
    """
    if kind == "SessionInfo":
        return
    _raise_error_in(result)
    if kind == "ArrayOfMessageInfo":
        for each in result.iterchildren(etree.Element):
            _raise_error_in(each)
    if kind in LISTS and not len(result) and (result.text or "").strip():
        raise InvalidInput("The answer holds words where a list should be.", code="sevovv.answer")


def _raise_error_in(parent: etree._Element) -> None:
    """Raise ``SevFault`` for an error among these members: the bus answers so with HTTP 200."""
    for found in parent.iterchildren(etree.Element):
        if etree.QName(found).localname in ("Error", "CommunicationError"):
            values = _members(found, dict(TYPES["CommunicationError"]), "", lenient=True)
            code, text = values.get("Code"), (values.get("Text") or found.text or "").strip()
            if code or (code is None and text):
                raise SevFault(code or UNDEFINED, text or None)


def _content(body: bytes, max_bytes: int, charset: str | None) -> etree._Element:
    root = strict_xml.parse(body, max_bytes=max_bytes, max_text_bytes=max_bytes, foreign=True, charset=charset)
    inner = root.find(f"{{{SOAP}}}Body")
    if root.tag != f"{{{SOAP}}}Envelope" or inner is None or len(inner) != 1:
        raise InvalidInput("This is no SOAP 1.1 envelope with one element in its body.", code="sevovv.soap")
    return inner[0]


def _fault_of(element: etree._Element) -> SevFault | InvalidInput:
    for found in element.iter():
        if etree.QName(found).localname == "CommunicationError":
            values = _members(found, dict(TYPES["CommunicationError"]), "")
            if values.get("Code") is not None:
                return SevFault(values["Code"], values.get("Text"))
    return InvalidInput("The service answered with a fault of another kind.", code="sevovv.fault")


def _members(
    parent: etree._Element, kinds: Mapping[str, str], operation: str, *, lenient: bool = False
) -> dict[str, Any]:
    """Members by name. ``lenient``: one that is not of its type costs itself only."""
    found: dict[str, Any] = {}
    for child in parent:
        local = etree.QName(child).localname
        name = _LOOK_ALIKES.get((operation, local), local)
        if name in kinds and child.get(f"{{{XSI}}}nil") not in ("true", "1"):
            try:
                found[name] = _value(child, kinds[name], lenient=lenient)
            except SevFault:
                if not lenient:
                    raise
    return found


def _value(element: etree._Element, kind: str, *, lenient: bool = False) -> Any:
    if kind in TYPES:
        return _members(element, dict(TYPES[kind]), "", lenient=lenient)
    if kind in LISTS:
        return [_value(child, LISTS[kind][0], lenient=lenient) for child in element]
    text = element.text or ""
    if kind == "string":
        return text
    try:
        return _SIMPLE.get(kind, _enum)(kind, text)
    except (ValueError, OverflowError, binascii.Error):
        raise SevFault(OBJECT_NULL, f"{etree.QName(element).localname} is not of type {kind}") from None


def _integer(kind: str, text: str) -> int:
    if len(text) > 20 or not text.strip().isascii():
        raise ValueError
    number = int(text)
    if not -_RANGES[kind] <= number < _RANGES[kind]:
        raise ValueError
    return number


def _moment(_: str, text: str) -> datetime:
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _base64(_: str, text: str) -> bytes:
    """Decoded in steps: a megabyte at once would hold the interpreter, and every other call, for milliseconds."""
    packed = "".join(text.split())
    if "=" in packed[:-2]:
        raise binascii.Error("padding stands before the end")
    steps = range(0, len(packed), _BASE64_STEP)
    return b"".join(base64.b64decode(packed[at : at + _BASE64_STEP], validate=True) for at in steps)


def _enum(kind: str, text: str) -> str:
    if text.strip() not in ENUMS[kind]:
        raise ValueError
    return text.strip()


_SIMPLE = {"int": _integer, "long": _integer, "dateTime": _moment, "base64Binary": _base64}
