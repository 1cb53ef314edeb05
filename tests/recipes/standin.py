"""A SOAP system made of its own description: libxml2 holds every request and every answer against its schemas.

It knows nothing of the hub's reading and writing: parts come out of Python's mail parser, schemas out of the files.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import TypeAlias

from lxml import etree

from tests.adapters.servers import Server, http, read_request

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
_XOP = "{http://www.w3.org/2004/08/xop/include}Include"
Handler: TypeAlias = "Callable[[Called], str]"


class Schemas:
    """All schemas of a folder, by namespace; an import that names no file means the one of its namespace."""

    def __init__(self, folder: Path) -> None:
        parser = etree.XMLParser(no_network=True, resolve_entities=False)
        self._files = {
            str(etree.parse(str(file), parser).getroot().get("targetNamespace")): file for file in folder.glob("*.xsd")
        }
        self._parser = parser
        self._known: dict[str, etree.XMLSchema] = {}

    def check(self, element: etree._Element) -> None:
        """Fail the test unless the element is valid."""
        space = str(etree.QName(element).namespace)
        if space not in self._known:
            self._known[space] = self._compiled(self._files[space])
        self._known[space].assertValid(etree.fromstring(etree.tostring(element, with_tail=False)))

    def _compiled(self, file: Path) -> etree.XMLSchema:
        tree = etree.parse(str(file), self._parser)
        for each in tree.iter("{http://www.w3.org/2001/XMLSchema}import"):
            named = self._files.get(each.get("namespace", ""))
            if named is not None and not each.get("schemaLocation"):
                each.set("schemaLocation", named.name)
        return etree.XMLSchema(tree)


class Called:
    """One call: the body's element, the header's blocks, all files put into the places that refer to them."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head, self.raw = head.decode("latin-1"), body
        kind = next(line for line in self.head.split("\r\n") if line.lower().startswith("content-type:"))
        self.parts: dict[str, bytes] = {}
        if "multipart/related" in kind.lower():
            parts = list(message_from_bytes(kind.encode() + b"\r\n\r\n" + body).walk())[1:]
            body, *others = [bytes(part.get_payload(decode=True)) for part in parts]
            self.parts = {
                str(part["Content-ID"]).strip("<>"): data for part, data in zip(parts[1:], others, strict=True)
            }
        self.envelope = etree.fromstring(body)
        for place in self.envelope.iter(_XOP):
            holder = place.getparent()
            assert holder is not None
            data = self.parts[place.get("href", "").removeprefix("cid:")]
            holder.remove(place)
            holder.text = base64.b64encode(data).decode()
        *holders, found = self.envelope
        self.content, self.blocks = found[0], [block for holder in holders for block in holder]

    @property
    def name(self) -> str:
        """The local name of the body's element."""
        return etree.QName(self.content).localname

    def text(self, path: str) -> str:
        """The text at a path with ``{*}`` before each name."""
        found = self.envelope.find(path)
        assert found is not None, path
        return found.text or ""


class StandIn:
    """Answers each operation with what its handler says: the envelope's inside, or a fault after ``!``."""

    def __init__(self, schemas: Schemas, soap: str, **handlers: Handler) -> None:
        self._schemas, self._soap, self._handlers = schemas, soap, handlers
        self.calls: list[Called] = []
        self.failure: Exception | None = None

    def named(self, name: str) -> list[Called]:
        """The calls of one operation."""
        return [each for each in self.calls if each.name == name]

    def script(self, server: Server, conn: socket.socket) -> None:
        """Talk to one connection."""
        while True:
            head, body = read_request(conn)
            if not head:
                return
            try:
                conn.sendall(self._answer(head, body))
            except Exception as error:
                self.failure = error
                raise

    def _answer(self, head: bytes, body: bytes) -> bytes:
        called = Called(head, body)
        for element in (called.content, *called.blocks):
            self._schemas.check(element)
        self.calls.append(called)
        said = self._handlers[called.name](called)
        fault = said.startswith("!")
        envelope = f'<e:Envelope xmlns:e="{self._soap}">{said.removeprefix("!")}</e:Envelope>'.encode()
        for holder in () if fault else etree.fromstring(envelope):
            for element in holder:
                self._schemas.check(element)
        kind = "text/xml" if self._soap == SOAP11 else "application/soap+xml"
        status = "500 Internal Server Error" if fault else "200 OK"
        return http(status, envelope, Content_Type=f"{kind}; charset=utf-8")
