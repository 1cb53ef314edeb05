"""A JSON system made of its own OpenAPI document: another program holds every request and every answer against it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema_rs
import yaml

from tests.adapters.servers import Server, http, read_request

Reply: TypeAlias = "tuple[int, Any]"


class OpenApi:
    """A document. ``mend``: what is taken out of it where it contradicts itself."""

    def __init__(self, file: Path, mend: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        # Days in examples are texts, as JSON has them.
        self._root: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(file.read_text("utf-8")), default=str))
        _nullable(self._root)
        mend(self._root)
        self._paths = {
            re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))): operations
            for path, operations in self._root["paths"].items()
        }

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """The operation of a call; the test fails if there is none."""
        (found,) = [each for pattern, each in self._paths.items() if pattern.fullmatch(path) and method.lower() in each]
        operation: dict[str, Any] = found[method.lower()]
        return operation

    def check_request(self, operation: dict[str, Any], kind: str, body: bytes) -> Any:
        """Hold a request against its schema; what it says."""
        schema = operation["requestBody"]["content"][kind]["schema"]
        if kind != "application/json":
            return body
        said = json.loads(body)
        self._check(schema, said)
        return said

    def check_answer(self, operation: dict[str, Any], status: int, body: Any) -> None:
        """Hold an answer against its schema."""
        self._check(operation["responses"][str(status)]["content"]["application/json"]["schema"], body)

    def _check(self, schema: Any, body: Any) -> None:
        whole = {"components": self._root["components"], **schema}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(body)


def _nullable(node: Any) -> None:
    """OpenAPI 3.0 says in a word of its own that null may stand for a value."""
    if isinstance(node, dict):
        if node.pop("nullable", False) and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        node = list(node.values())
    for each in node if isinstance(node, list) else ():
        _nullable(each)


class JsonStandIn:
    """Answers calls below ``base`` with what ``reply`` says; ``besides``: other paths, such as the issuer of tokens."""

    def __init__(
        self,
        api: OpenApi,
        base: str,
        reply: Callable[[str, str, Any], Reply],
        **besides: Callable[[bytes], Any],
    ) -> None:
        self._api, self._base, self._reply, self._besides = api, base, reply, besides
        self.calls: list[tuple[str, str, str, Any]] = []
        self.failure: Exception | None = None

    def script(self, server: Server, conn: socket.socket) -> None:
        """Talk to one connection."""
        while True:
            head, body = read_request(conn)
            if not head:
                return
            try:
                conn.sendall(self._answer(head.decode("latin-1"), body))
            except Exception as error:
                self.failure = error
                raise

    def _answer(self, head: str, body: bytes) -> bytes:
        method, target, _ = head.split(" ", 2)
        path = target.partition("?")[0]
        besides = self._besides.get(path.strip("/"))
        if besides is not None:
            return http("200 OK", json.dumps(besides(body)).encode(), Content_Type="application/json")
        path = path.removeprefix(self._base)
        operation = self._api.operation(method, path)
        kind = re.search(r"(?im)^content-type: *([^;\r\n]+)", head)
        said = self._api.check_request(operation, kind[1].strip(), body) if body and kind else None
        self.calls.append((method, target, head, said))
        status, answer = self._reply(method, path, said)
        if answer is None:
            return http(f"{status} Not now")
        self._api.check_answer(operation, status, answer)
        return http(f"{status} OK", json.dumps(answer).encode(), Content_Type="application/json")
