"""A WSDL that was read: its operations, and how values become bodies and bodies values. zeep does that part.

Parsed once per process and shared: nothing in it changes afterwards. zeep gets its documents from memory, so no file,
no address and no redirect is within its reach.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import zeep.exceptions
import zeep.helpers
import zeep.settings
import zeep.wsdl.bindings
from lxml import etree
from zeep.wsdl import Document
from zeep.xsd.const import Nil, NotSet, SkipValue

from hub.protocols.soap.files import Documents, read_folder, resolve, wrong
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
_MAX_TEXT: Final = 600
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

    def request(self, values: Mapping[str, Any]) -> etree._Element:
        """An envelope with the request. ``ConfigurationError`` (``wsdl.values``) names what is missing or unknown."""
        return self._write(self._zeep.input, values)

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
                "values",
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
    """A WSDL with its schemas."""

    def __init__(self, document: Any, repairs: tuple[str, ...], notes: tuple[str, ...]) -> None:
        self._document = document
        self.repairs = repairs
        self.notes = notes
        self.operations = tuple(_operations(document))

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
            known = known[:_MAX_TEXT] or "none, for no service of it has a SOAP port over HTTP"
            raise wrong("operation", f"The WSDL has no operation {name!r} there; it has: {known}.")
        found = min(fits, key=lambda each: each.version)
        if not _ACTION.fullmatch(found.action):
            raise wrong("operation", f"The soapAction of {name!r} holds characters that a header cannot carry.")
        return found

    def signature(self, operation: WsdlOperation) -> str:
        """Input and output of an operation, for a person who writes a mapping."""
        return str(operation._zeep)


def _operations(document: Any) -> list[WsdlOperation]:
    found = []
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
                    )
                )
    return found


def understand(documents: Documents) -> Description:
    """Let zeep read resolved documents. ``ConfigurationError`` (``wsdl.content``) says what is missing or wrong."""
    settings = zeep.settings.Settings(
        strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=False, force_https=False
    )
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            document = Document(documents.root, _Memory(documents.content), settings=settings)
            made = Description(document, documents.repairs, tuple(str(each.message)[:_MAX_TEXT] for each in said))
    except _ZEEP_ERRORS as error:
        _refuse(error)
    return made


def _refuse(error: BaseException) -> NoReturn:
    text = _told(error).replace("/hub-description/", "").replace("/hub-shipped/", "")
    raise wrong("content", f"The WSDL cannot be understood: {text}.") from None


_known: dict[tuple[str, str], Description] = {}
_lock = threading.Lock()


def _once(key: tuple[str, str], make: Callable[[], Description]) -> Description:
    with _lock:
        if key not in _known:
            _known[key] = make()
        return _known[key]


def from_folder(folder: Path, pin: str) -> Description:
    """The description in a folder, pinned by the SHA-256 of its manifest; read once per process.

    Raises ``ConfigurationError`` (``wsdl.*``).
    """
    return _once((str(folder), pin), lambda: understand(resolve(*read_folder(folder, pin))))
