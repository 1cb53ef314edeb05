"""A JSON system made of its own OpenAPI document: another program holds every request and every answer against it."""

from __future__ import annotations

import copy
import json
import re
import socket
from collections.abc import Callable, Mapping
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
        self._asked = copy.deepcopy(self._root)
        _answered_only(self._asked)
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
        self._check(schema, said, self._asked)
        return said

    def check_answer(self, operation: dict[str, Any], status: int, body: Any) -> None:
        """Hold an answer against its schema."""
        self._check(operation["responses"][str(status)]["content"]["application/json"]["schema"], body, self._root)

    @staticmethod
    def _check(schema: Any, body: Any, root: dict[str, Any]) -> None:
        whole = {"components": root["components"], **schema}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(body)


def _nullable(node: Any) -> None:
    """OpenAPI 3.0 says in a word of its own that null may stand for a value."""
    if isinstance(node, dict):
        if node.pop("nullable", False) and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        node = list(node.values())
    for each in node if isinstance(node, list) else ():
        _nullable(each)


def _answered_only(node: Any) -> None:
    """What is read only is required of answers, not of requests (OpenAPI 3.0, properties)."""
    if isinstance(node, dict):
        named = node.get("properties")
        if isinstance(named, dict) and isinstance(node.get("required"), list):
            read_only = {name for name, each in named.items() if isinstance(each, dict) and each.get("readOnly")}
            node["required"] = [name for name in node["required"] if name not in read_only]
        node = list(node.values())
    for each in node if isinstance(node, list) else ():
        _answered_only(each)


class JsonStandIn:
    """Answers calls below ``base`` with what ``reply`` says; ``also``: further documents with their bases; ``besides``:
    other paths, such as the issuer of tokens.
    """

    def __init__(
        self,
        api: OpenApi,
        base: str,
        reply: Callable[[str, str, Any], Reply],
        also: Mapping[str, OpenApi] | None = None,
        **besides: Callable[[bytes], Any],
    ) -> None:
        self._apis, self._reply, self._besides = {base: api, **(also or {})}, reply, besides
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
        base = next(each for each in self._apis if path.startswith(each))
        api, path = self._apis[base], path.removeprefix(base)
        operation = api.operation(method, path)
        kind = re.search(r"(?im)^content-type: *([^;\r\n]+)", head)
        said = api.check_request(operation, kind[1].strip(), body) if body and kind else None
        self.calls.append((method, target, head, said))
        status, answer = self._reply(method, path, said)
        if answer is None:
            return http(f"{status} Not now")
        api.check_answer(operation, status, answer)
        return http(f"{status} OK", json.dumps(answer).encode(), Content_Type="application/json")
