"""JSON Schemas of the registry's files, for editors: what may stand where is completed and told while one writes.

Made of the models that the hub itself reads with; the settings of a channel are those of its adapter. ``hub registry
check`` stays the judge: it knows rules between entries, and what a mapping's tests say, which no schema can. Draft 7,
for that is what the editors' YAML servers read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from hub.adapters.mapping_check import ASKED, CONTENT, tree_of
from hub.adapters.soap.mapping import LISTED, WsdlMapping
from hub.net import secret_marks
from hub.net.secrets import SecretRef
from hub.ports import Adapter
from hub.protocols.soap.description import TYPE
from hub.schemas.directory import Authority, AwaitedBody, Stage, Topic
from hub.schemas.shapes import Leaf, Many, Members, Shape
from hub.schemas.terms import Kind
from registry.draft import ChannelEntry, KeyEntry

REGISTRY: Final = "registry.schema.json"
MAPPING: Final = "mapping.schema.json"
_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "authorities": Authority,
    "awaited": AwaitedBody,
    "channels": ChannelEntry,
    "keys": KeyEntry,
    "listed": Authority,
    "stages": Stage,
    "topics": Topic,
}
_RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "$from": ("values", "default", "date", "join"),
    "$each": ("as",),
}
_Node = dict[str, Any]
_SECRET: Final[_Node] = {
    "type": "object",
    "properties": {secret_marks.RULE: TypeAdapter(SecretRef).json_schema()},
    "required": [secret_marks.RULE],
    "additionalProperties": False,
}


def documents(adapters: Mapping[str, Adapter]) -> dict[str, _Node]:
    """Schemas by the name of their file: of every registry file, and of the mapping beside a WSDL."""
    return {REGISTRY: _registry(adapters), MAPPING: _mapping()}


def write(folder: Path, adapters: Mapping[str, Adapter]) -> list[Path]:
    """Write all schemas into a folder; files of an earlier time are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in documents(adapters).items():
        path = folder / name
        path.write_text(json.dumps(schema, ensure_ascii=False, indent=2) + "\n", "utf-8")
        written.append(path)
    return written


def _registry(adapters: Mapping[str, Adapter]) -> _Node:
    models = {name: adapter.settings_model for name, adapter in adapters.items()}
    wanted = list(dict.fromkeys((*_SECTIONS.values(), *models.values())))
    references, made = models_json_schema([(model, "validation") for model in wanted])
    definitions = made["$defs"]
    named = {model: dict(references[model, "validation"]) for model in wanted}
    for settings in models.values():
        _definition(definitions, named[settings])["properties"].pop("dialect", None)  # the channel's own says it
    ways = [_way(adapter, named[models[name]]) for name, adapter in sorted(adapters.items())]
    channel = definitions["Channel"]
    channel["properties"]["adapter"] = {"enum": sorted(adapters)}
    channel["allOf"] = ways
    _with_requests(definitions)
    sections = {name: {"type": ["array", "null"], "items": named[model]} for name, model in _SECTIONS.items()}
    return {
        "$schema": _DRAFT,
        "title": "A file of the registry",
        "type": ["object", "null"],
        "properties": sections,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _definition(definitions: _Node, reference: _Node) -> _Node:
    found: _Node = definitions[reference["$ref"].rpartition("/")[2]]
    return found


def _way(adapter: Adapter, settings: _Node) -> _Node:
    """Rules for the channels of one adapter."""
    sections = [name for name in sorted(adapter.dialects) if name in adapter.settings_model.model_fields]
    needs = [
        {
            "if": {"properties": {"dialect": {"const": name}}, "required": ["dialect"]},
            "then": {"properties": {"settings": {"required": [name]}}, "required": ["settings"]},
        }
        for name in sections
        if name != "envelope"
    ]
    then = {"properties": {"settings": settings, "dialect": {"enum": sorted(adapter.dialects)}}}
    return {
        "if": {"properties": {"adapter": {"const": adapter.name}}, "required": ["adapter"]},
        "then": {**then, **({"allOf": needs} if needs else {})},
    }


def _mapping() -> _Node:
    _, made = models_json_schema([(WsdlMapping, "validation")])
    definitions = made["$defs"]
    _with_requests(definitions)
    whole = definitions.pop("WsdlMapping")
    return {"$schema": _DRAFT, "title": "mapping.yaml", **whole, "$defs": definitions}


# The tree of a request


def _with_requests(definitions: _Node) -> None:
    """Have each member ``request`` of a mapping say which paths and rules there are."""
    definitions["Request"] = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/RequestNode"},
        "propertyNames": {"pattern": rf"^(?!\$)|^{re.escape(TYPE)}$"},
    }
    definitions["RequestNode"] = _node(_paths())
    for definition in definitions.values():
        members = definition.get("properties", {})
        for name in ("request", "header") if "means" not in members else ():
            if members.get(name, {}).get("type") == "object":
                members[name] = {"$ref": "#/$defs/Request"}


def _node(paths: list[str]) -> _Node:
    inner = {"$ref": "#/$defs/RequestNode"}
    rules = [_rule(name, keys, inner) for name, keys in _RULES.items()]
    return {
        "anyOf": [
            {"type": ["number", "boolean", "null"]},
            {"type": "string", "enum": paths},
            {"type": "string", "pattern": rf"^(?!\$)|^\$\$|^\$(?:item|kept)(?:\.[A-Za-z0-9_]+)*$|{_numbered(paths)}"},
            {"type": "array", "items": inner},
            *rules,
            _SECRET,
            {"$ref": "#/$defs/Request"},
        ]
    }


def _rule(name: str, keys: tuple[str, ...], inner: _Node) -> _Node:
    more: Mapping[str, _Node] = {
        "values": {"type": "object", "minProperties": 1},
        "default": {},
        "date": {"type": "string", "examples": ["%d.%m.%Y", "%Y-%m-%d"]},
        "join": {"type": "string"},
        "as": inner,
    }
    members = {name: inner if name == "$from" else {"type": "string"}, **{key: more[key] for key in keys}}
    needed = [name, *(["as"] if "as" in keys else [])]
    return {"type": "object", "properties": members, "required": needed, "additionalProperties": False}


def _paths() -> list[str]:
    """All paths of a request; of a list its first entry."""
    whole = _below(tree_of(tuple(Kind), (CONTENT, "cid")), "$")
    return sorted({*whole, *_below(ASKED, "$"), *_below(LISTED, "$")})


def _below(shape: Shape, at: str) -> Iterator[str]:
    if at != "$":
        yield at
    if isinstance(shape, Many):
        yield from _below(shape.each, f"{at}.0")
    elif isinstance(shape, Members):
        for name, inner in shape.of.items():
            yield from _below(inner, "$" + name if at == "$" else f"{at}.{name}")
    else:
        assert isinstance(shape, Leaf)


def _numbered(paths: list[str]) -> str:
    """Pattern of the paths that name another entry of a list than the first."""
    told = (path.replace("$", r"\$").replace(".0", ".[0-9]+").replace(".", r"\.") for path in paths if ".0" in path)
    return f"^(?:{'|'.join(told)})$"
