"""A WSDL that was read: its operations, and how values become bodies and bodies values. zeep does that part.

Parsed once per process and shared: nothing in it changes afterwards. zeep gets its documents from memory, so no file,
no address and no redirect is within its reach.
"""

from __future__ import annotations

import base64
import re
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import zeep.exceptions
import zeep.helpers
import zeep.settings
import zeep.wsdl.bindings
from lxml import etree
from zeep.wsdl import Document
from zeep.xsd.const import Nil, NotSet, SkipValue
from zeep.xsd.types.any import AnyType
from zeep.xsd.types.builtins import Base64Binary, Boolean, HexBinary
from zeep.xsd.types.collection import ListType, UnionType
from zeep.xsd.types.complex import ComplexType
from zeep.xsd.types.simple import AnySimpleType
from zeep.xsd.valueobjects import AnyObject

from hub.errors import ConfigurationError
from hub.protocols.soap.checking import RequestSchema, RpcCall, RpcPart, compiled
from hub.protocols.soap.files import WSDL, Documents, read_folder, resolve, wrong
from hub.protocols.soap.wire import SoapEnvelope, SoapVersion, refuse

_ZEEP_ERRORS: Final = (
    zeep.exceptions.Error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    etree.LxmlError,
)
"""What zeep raises for descriptions and values that are not as it thinks."""
_UNKNOWN_MEMBER: Final = "unexpected keyword argument"
_BINARY: Final = Base64Binary()
_MAX_TEXT: Final = 600
TYPE: Final = "$type"
"""Member of a mapping that names the type of its value, where the schema takes any that extends the element's own."""
_NONE: Final = "none"
_NO_PORT: Final = "No service of it has a SOAP port over HTTP"
_ACTION: Final = re.compile(r"[!#-\[\]-~]{0,500}")
"""Visible ASCII without quotation mark and backslash: it stands in quotes in an HTTP header."""


class _Memory:
    """All that zeep may load from."""

    binding_classes = (zeep.wsdl.bindings.Soap11Binding, zeep.wsdl.bindings.Soap12Binding)

    def __init__(self, content: Mapping[str, bytes]) -> None:
        self._content = content

    def load(self, url: object) -> bytes:
        """A document of the description, by its made-up path."""
        if str(url) not in self._content:
            raise wrong("import_missing", f"It needs {str(url)[:200]}, which is not among the description's files.")
        return self._content[str(url)]


@dataclass(frozen=True, slots=True)
class WsdlOperation:
    """One operation of one port. ``address`` is the WSDL's own; a channel's settings name where calls really go."""

    name: str
    service: str
    port: str
    version: SoapVersion
    action: str
    style: str
    address: str
    _zeep: Any
    _schema: RequestSchema | None = None
    _types: Any = ()

    @property
    def answers(self) -> bool:
        """True if it has an answer; a one-way operation confirms nothing."""
        return self._zeep.output is not None

    def request(self, values: Mapping[str, Any], headers: Mapping[str, Any] | None = None) -> etree._Element:
        """An envelope with the request. ``headers``: values of the blocks that the binding declares, by their parts.

        ``ConfigurationError``: ``wsdl.values`` names what is missing, ``wsdl.member`` what the operation does not have,
        ``wsdl.schema`` what is not of its type.
        """
        fitted = Fitted(self._types)
        said = fitted.members(values, _type_of(self._zeep.input, "body"))
        if headers:
            said["_soapheaders"] = fitted.members(headers, _type_of(self._zeep.input, "header"))
        try:
            root = self._write(self._zeep.input, said)
        except ConfigurationError:
            self._check(fitted.faults)
            raise
        self._check((*fitted.faults, *(self._schema.faults(root, self.style) if self._schema is not None else ())))
        return root

    def _check(self, faults: Iterable[str]) -> None:
        told = "; ".join(dict.fromkeys(faults))
        if told:
            raise wrong(
                "schema",
                f"The operation {self.name} cannot be said so: {told}.",
                "Mend the mapping: `hub channel wsdl` shows the types.",
            )

    def read_answer(self, envelope: SoapEnvelope) -> Any:
        """Values of an answer: dicts, lists, text, numbers, dates. ``InvalidInput`` (``soap.content``)."""
        return self._read(self._zeep.output, envelope)

    def _write(self, message: Any, values: Mapping[str, Any]) -> etree._Element:
        if message is None:
            raise wrong("values", f"The operation {self.name} has no such message.")
        try:
            root: etree._Element = message.serialize(**values).content
        except _ZEEP_ERRORS as error:
            raise wrong(
                "member" if _UNKNOWN_MEMBER in str(error) else "values",
                f"The operation {self.name} cannot be said with these values: {_told(error, ours=True)}.",
                "Compare the names with `hub channel wsdl`, and mend the mapping.",
            ) from None
        return root

    def _read(self, message: Any, envelope: SoapEnvelope) -> Any:
        if message is None:
            return None
        if envelope.version is not self.version:
            raise refuse("version", "the message has another SOAP version than the operation")
        try:
            return plain(message.deserialize(envelope.root))
        except _ZEEP_ERRORS as error:
            raise refuse("content", f"the body is not that of {self.name}: {type(error).__name__}", "/Body") from None


class FileText(str):
    """Text that stands for a file in base64."""

    __slots__ = ()


def _type_of(message: Any, part: str) -> Any:
    return getattr(getattr(message, part, None), "type", None)


@dataclass(slots=True)
class Fitted:
    """Values of a mapping as zeep must get them, and what cannot be said: zeep would write Python's own words.

    ``types``: the global types of the schemas, for values that say which of them they are (``$type``).
    """

    types: Iterable[Any] = ()
    faults: list[str] = field(default_factory=list)

    def members(self, values: Mapping[str, Any], kind: Any) -> dict[str, Any]:
        """The members of an element of this type."""
        known = dict(getattr(kind, "elements", None) or ())
        return {name: self.value(value, known.get(name), name) for name, value in values.items()}

    def value(self, value: Any, element: Any, name: str) -> Any:
        """One value for an element; ``element`` is None where zeep knows none by that name."""
        if element is None or value is None:
            return value
        if not hasattr(element, "type"):
            return self._group(value, element)
        if isinstance(value, list) and element.accepts_multiple:
            return [self._single(each, element.type, name) for each in value]
        return self._single(value, element.type, name)

    def _group(self, value: Any, group: Any) -> Any:
        """Values for a choice or sequence that repeats: each shows which of its elements it is."""
        if isinstance(value, list):
            return [self._group(each, group) for each in value]
        return self.members(value, group) if isinstance(value, Mapping) else value

    def _single(self, value: Any, kind: Any, name: str) -> Any:
        if isinstance(value, Mapping) and TYPE in value:
            return self._typed(value, name)
        if isinstance(kind, ComplexType):
            return self.members(value, kind) if isinstance(value, Mapping) else value
        if isinstance(value, list | Mapping):
            if not isinstance(kind, ListType | UnionType) or isinstance(value, Mapping):
                self.faults.append(f"{name} takes one value, and the mapping gives several")
            return value
        if isinstance(value, bytes):
            return _binary(value, kind)
        if isinstance(value, FileText):
            return self._file(value, kind, name)
        if isinstance(kind, Boolean):
            if str(value).lower() not in ("true", "false", "1", "0"):
                self.faults.append(f"{name} is no xs:boolean")
            return str(value).lower() in ("true", "1")
        return str(value).lower() if isinstance(value, bool) else value

    def _file(self, value: FileText, kind: Any, name: str) -> Any:
        if isinstance(kind, HexBinary):
            self.faults.append(f"{name} is xs:hexBinary, and files are said in base64")
        return AnyObject(_BINARY, value) if type(kind) is AnyType else value

    def _typed(self, value: Mapping[str, Any], name: str) -> Any:
        """A value of a type that it names itself: the schema's own type of the element is only what that extends."""
        wanted = str(value[TYPE])
        fits = [
            each for each in self.types if each.qname is not None and wanted in (each.qname.localname, each.qname.text)
        ]
        if len(fits) != 1 or not isinstance(fits[0], ComplexType):
            told = "no complex type of the schemas" if not fits else "the name of several types: write {namespace}name"
            self.faults.append(f"{name}: {wanted[:200]} is {told}")
            return None
        said = self.members({key: each for key, each in value.items() if key != TYPE}, fits[0])
        try:
            return fits[0](**said)
        except _ZEEP_ERRORS as error:
            self.faults.append(f"{name}: {_told(error, ours=True)}")
            return None


def _binary(value: bytes, kind: Any) -> Any:
    """Bytes for an element of this type: where anything may stand they bear the type that they have."""
    if type(kind) is AnyType:
        return AnyObject(_BINARY, value)
    return base64.b64encode(value).decode() if type(kind) is AnySimpleType else value


def plain(value: Any) -> Any:
    """zeep's objects as dicts, lists and scalars; what was not said is left out, ``xsi:nil`` is None."""
    if any(value is nothing for nothing in (NotSet, SkipValue, Nil)):
        return None
    return zeep.helpers.serialize_object(value, dict)


def _told(error: BaseException, *, ours: bool = False) -> str:
    """Words of zeep, in bounds. Its own errors name elements and types; others may repeat a value of the message, so
    with ``ours`` only their kind is told.
    """
    text = " ".join(str(error).split())
    if isinstance(error, TypeError | zeep.exceptions.Error) and text:
        return text[:_MAX_TEXT].rstrip(".")
    if ours:
        return type(error).__name__
    return f"{type(error).__name__} {text[:_MAX_TEXT]}".strip().rstrip(".")


class Description:
    """A WSDL with its schemas. ``undefined``: what its messages name and no schema has; ``schema``: what requests are
    held against, None if libxml2 cannot take it.
    """

    def __init__(
        self,
        document: Any,
        repairs: tuple[str, ...],
        notes: tuple[str, ...],
        undefined: tuple[str, ...] = (),
        schema: RequestSchema | None = None,
        encoded: Collection[tuple[str, str]] = (),
    ) -> None:
        self._document = document
        self.repairs = repairs
        self.notes = notes
        self.undefined = undefined
        self.operations = tuple(_operations(document, schema, encoded))

    def operation(self, name: str, *, service: str | None = None, port: str | None = None) -> WsdlOperation:
        """The operation with this name; of several ports the first of SOAP 1.1 unless ``service``/``port`` say.

        ``ConfigurationError`` (``wsdl.operation``) lists those there are.
        """
        fits = [
            each
            for each in self.operations
            if each.name == name and service in (None, each.service) and port in (None, each.port)
        ]
        if not fits:
            known = ", ".join(sorted({f"{each.service}/{each.port}/{each.name}" for each in self.operations}))
            known = known[:_MAX_TEXT] or "none"
            because = "; ".join(self.undefined)[:_MAX_TEXT] or (known == "none" and _NO_PORT) or ""
            told = f"The WSDL has no operation {name!r} there; it has: {known}. {because}".strip().rstrip(".")
            raise wrong("operation", f"{told}.", "Name one of these in mapping.yaml, then pin the folder anew.")
        found = min(fits, key=lambda each: each.version)
        if not _ACTION.fullmatch(found.action):
            raise wrong("operation", f"The soapAction of {name!r} holds characters that a header cannot carry.")
        return found

    def signature(self, operation: WsdlOperation) -> str:
        """Input and output of an operation, for a person who writes a mapping."""
        return str(operation._zeep)


def _operations(
    document: Any, schema: RequestSchema | None, encoded: Collection[tuple[str, str]]
) -> list[WsdlOperation]:
    found = []
    types = tuple(document.types.types)
    for service in document.services.values():
        for port in service.ports.values():
            binding = port.binding
            version = SoapVersion.V12 if isinstance(binding, zeep.wsdl.bindings.Soap12Binding) else SoapVersion.V11
            for operation in binding.all().values():
                if operation.input is None:
                    continue
                found.append(
                    WsdlOperation(
                        operation.name,
                        service.name,
                        port.name,
                        version,
                        operation.soapaction or "",
                        operation.style,
                        str((port.binding_options or {}).get("address") or ""),
                        operation,
                        None if (str(binding.name), operation.name) in encoded else schema,
                        types,
                    )
                )
    return found


def _encoded(documents: Documents) -> frozenset[tuple[str, str]]:
    """Binding and name of operations that are rpc/encoded: their values bear types that no schema here has."""
    found = set()
    for data in documents.content.values():
        root = etree.fromstring(data)
        for binding in root.iter(f"{{{WSDL}}}binding"):
            for operation in binding.iterchildren(f"{{{WSDL}}}operation"):
                if any(body.get("use") == "encoded" for body in operation.iterfind("{*}input//{*}body")):
                    name = f"{{{root.get('targetNamespace')}}}{binding.get('name')}"
                    found.add((name, operation.get("name", "")))
    return frozenset(found)


def _calls(document: Any, encoded: Collection[tuple[str, str]]) -> Iterator[RpcCall]:
    """The elements that operations in style rpc/literal write."""
    for service in document.services.values():
        for port in service.ports.values():
            for operation in port.binding.all().values():
                body = getattr(operation.input, "body", None)
                known = (str(port.binding.name), operation.name) not in encoded
                if operation.style == "rpc" and known and body is not None:
                    parts = operation.abstract.input_message.parts
                    yield RpcCall(
                        str(body.qname.namespace or ""),
                        str(body.qname.localname),
                        tuple(
                            RpcPart(str(name), str(part.type.qname.namespace), str(part.type.qname.localname))
                            for name, part in parts.items()
                            if part.type is not None
                        ),
                    )


def _compiled(
    documents: Documents, document: Any, encoded: Collection[tuple[str, str]]
) -> tuple[RequestSchema | None, str | None]:
    """What requests are held against, or a note for a person why they are not."""
    try:
        return compiled(documents, tuple(dict.fromkeys(_calls(document, encoded)))), None
    except _ZEEP_ERRORS as error:
        return None, f"requests are not held against the schema: {_told(error)}"[:_MAX_TEXT]


def understand(documents: Documents) -> Description:
    """Let zeep read resolved documents. ``ConfigurationError`` (``wsdl.content``) says what is missing or wrong."""
    settings = zeep.settings.Settings(
        strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=False, force_https=False
    )
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            document = Document(documents.root, _Memory(documents.content), settings=settings)
            encoded = _encoded(documents)
            schema, unchecked = _compiled(documents, document, encoded)
            notes = (*(str(each.message)[:_MAX_TEXT] for each in said), *filter(None, (unchecked,)))
            made = Description(document, documents.repairs, notes, documents.undefined, schema, encoded)
    except _ZEEP_ERRORS as error:
        _refuse(error)
    return made


def _refuse(error: BaseException) -> NoReturn:
    text = _told(error).replace("/hub-description/", "").replace("/hub-shipped/", "")
    raise wrong("content", f"The WSDL cannot be understood: {text}.") from None


_known: dict[tuple[str, str, str], Description] = {}
_lock = threading.Lock()


def _once(key: tuple[str, str, str], make: Callable[[], Description]) -> Description:
    with _lock:
        if key not in _known:
            _known[key] = make()
        return _known[key]


def from_folder(folder: Path, pin: str, root: str | None = None) -> Description:
    """The description in a folder, pinned by the SHA-256 of its manifest; read once per process. ``root``: another WSDL
    of the folder than its first.

    Raises ``ConfigurationError`` (``wsdl.*``).
    """

    def read() -> Description:
        first, files, addresses = read_folder(folder, pin)
        return understand(resolve(root or first, files, addresses))

    return _once((str(folder), pin, root or ""), read)
