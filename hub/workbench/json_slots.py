"""Slots of a JSON document: out of a sample of it, or out of its JSON Schema (local references, no network)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from hub.errors import InvalidInput
from hub.schemas import strict_json
from hub.workbench.slots import MAX_DEPTH, MAX_SLOTS, Slot

MAX_BYTES: Final = 4 * 1024 * 1024
_SAMPLE_CHARS: Final = 60
_KINDS: Final = {bool: "boolean", int: "integer", float: "number", str: "text", type(None): "null"}


def of_json(data: bytes) -> tuple[Slot, ...]:
    """Members of the document that a sample or a schema shows. ``InvalidInput`` (``json.*``, ``skeleton.shape``)."""
    tree = strict_json.parse(data, max_bytes=MAX_BYTES, max_depth=64, allow_floats=True, any_integers=True)
    if isinstance(tree, list) and tree:
        tree = tree[0]
    if not isinstance(tree, dict):
        raise _shape("is neither a JSON object nor a JSON Schema of one")
    slot = _Schema(tree).slot("", tree, 0) if _is_schema(tree) else _of_sample("", tree, 0)
    if not slot.members:
        raise _shape("shows no members")
    if sum(1 for _ in slot.leaves()) > MAX_SLOTS:
        raise _shape(f"has more than {MAX_SLOTS} values")
    return slot.members


def _shape(why: str) -> InvalidInput:
    return InvalidInput(
        f"The file {why}.",
        code="skeleton.shape",
        action="Give one document as their system takes it, or the JSON Schema of it.",
    )


def _is_schema(tree: Mapping[str, Any]) -> bool:
    return "$schema" in tree or (isinstance(tree.get("properties"), dict) and tree.get("type", "object") == "object")


# A sample


def _of_sample(name: str, value: Any, depth: int) -> Slot:
    if depth >= MAX_DEPTH and isinstance(value, dict | list):
        return Slot(name=name, kind="object")  # for somebody to fill in
    if isinstance(value, dict):
        return Slot(
            name=name,
            kind="object",
            members=tuple(_of_sample(str(each), inner, depth + 1) for each, inner in value.items()),
        )
    if isinstance(value, list):
        rows = [_of_sample(name, each, depth + 1) for each in value]
        return replace(_merged(name, rows), many=True)
    kind = _KINDS.get(type(value), "text")
    return Slot(name=name, kind=kind, sample=None if value is None else str(value)[:_SAMPLE_CHARS])


def _merged(name: str, rows: Iterable[Slot]) -> Slot:
    """One row with the members of all."""
    rows = list(rows)
    members: dict[str, Slot] = {}
    for row in rows:
        for member in row.members:
            members.setdefault(member.name, member)
    first = rows[0] if rows else Slot(name=name, kind="list")
    return replace(first, members=tuple(members.values()))


# A schema


class _Schema:
    """Reader of one JSON Schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._made = 0
        self._open: list[str] = []

    def slot(self, name: str, node: Any, depth: int, *, required: bool | None = None) -> Slot:
        """The slot that a schema describes; one that stands in itself has no members."""
        reference = str(node.get("$ref", "")) if isinstance(node, dict) else ""
        if reference in self._open:
            return Slot(name=name, kind="object", required=required)
        self._open += [reference] if reference else []
        made = self._slot(name, node, depth, required=required)
        self._open = self._open[:-1] if reference else self._open
        return made

    def _slot(self, name: str, node: Any, depth: int, *, required: bool | None) -> Slot:
        self._made += 1
        if self._made > MAX_SLOTS:
            raise _shape(f"has more than {MAX_SLOTS} members")
        node = self._plain(node)
        kind = _kind(node)
        if kind == "array":
            items = node.get("items")
            inner = self.slot(name, items if isinstance(items, dict) else {}, depth + 1)
            return replace(inner, many=True, required=required)
        return Slot(
            name=name,
            kind=kind,
            words=_words(node),
            required=required,
            members=self._members(node, depth),
            note=str(node.get("title") or node.get("description") or "") or None,
        )

    def _members(self, node: Mapping[str, Any], depth: int) -> tuple[Slot, ...]:
        inner = node.get("properties")
        if not isinstance(inner, dict) or depth >= MAX_DEPTH:
            return ()
        needed = node.get("required")
        known = needed if isinstance(needed, list) else []
        return tuple(self.slot(str(each), child, depth + 1, required=each in known) for each, child in inner.items())

    def _plain(self, node: Any, hops: int = 0) -> dict[str, Any]:
        """The schema with its local references followed, the parts of ``allOf`` put together, and of ``oneOf`` and
        ``anyOf`` the first that is not null.
        """
        if not isinstance(node, dict) or hops > MAX_DEPTH:
            return {}
        reference = node.get("$ref")
        if isinstance(reference, str):
            return {**self._plain(self._found(reference), hops + 1), **{n: v for n, v in node.items() if n != "$ref"}}
        made = dict(node)
        for part in _list(node, "allOf"):
            made = _joined(made, self._plain(part, hops + 1))
        ways = (self._plain(part, hops + 1) for part in (*_list(node, "oneOf"), *_list(node, "anyOf")))
        one = next((way for way in ways if way.get("type") != "null"), {})
        return _joined(made, one)

    def _found(self, reference: str) -> Any:
        """Node that a local reference names; nothing is fetched."""
        node: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            node = node.get(name) if isinstance(node, dict) else None
        return node if reference.startswith("#") else None


def _list(node: Mapping[str, Any], name: str) -> list[Any]:
    value = node.get(name)
    return value if isinstance(value, list) else []


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    made = {**other, **one}
    if isinstance(one.get("properties"), dict) and isinstance(other.get("properties"), dict):
        made["properties"] = {**other["properties"], **one["properties"]}
    made["required"] = [*_list(other, "required"), *_list(one, "required")]
    return made


def _kind(node: Mapping[str, Any]) -> str:
    kind = node.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in node else "array" if "items" in node else "text"
    if kind == "string":
        told = node.get("format") or node.get("contentEncoding")
        return str(told)[:30] if isinstance(told, str) else "text"
    return str(kind)[:30]


def _words(node: Mapping[str, Any]) -> tuple[str, ...]:
    words = _list(node, "enum") or ([node["const"]] if "const" in node else [])
    return tuple(str(word)[:_SAMPLE_CHARS] for word in words if isinstance(word, str | int))
