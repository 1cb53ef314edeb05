"""Edits of one value in the text of a YAML file: comments, quotes and layout around it stay byte for byte.

Only the span of the value itself is written anew, by the marks of the parser that reads the registry. The value that
is put in is written by us, and read again by the registry's own strict rules before anything is believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import yaml

from registry.yamlfile import parse

Keys: TypeAlias = tuple[str, ...]
"""Names (and numbers of list items) from a mapping down to a value."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN: Final = re.compile(r"[\w/](?:[\w ./+@:%=-]*[\w/])?")
_ELSEWHERE_BOOL: Final = frozenset({"yes", "no", "on", "off", "y", "n"})
"""Words that are text to us and true or false to most other readers."""


class CannotEdit(Exception):
    """The place does not exist, or nothing can be put there. The message says why, without any value."""


def assign(text: str, keys: Keys, value: Any) -> str:
    """The text with ``value`` at ``keys``; mappings that are not there yet are made. Raises ``CannotEdit``."""
    node, name = _compose(text), None
    for depth, key in enumerate(keys):
        if isinstance(node, yaml.MappingNode):
            found = _entry(node, key)
            if found is None:
                return _insert(text, node, key, _nested(keys[depth + 1 :], value))
            name, node = found
        elif isinstance(node, yaml.SequenceNode):
            name, node = None, _item(node, key)
        else:
            _require_nothing(node, keys[:depth])
            return _replace(text, name, node, _nested(keys[depth:], value))
    return _replace(text, name, node, value)


def remove(text: str, keys: Keys) -> str:
    """The text without what stands at ``keys``; as it was if nothing does. Raises ``CannotEdit`` for a list's item."""
    node, above = _compose(text), None
    for key in keys[:-1]:
        found = _entry(node, key) if isinstance(node, yaml.MappingNode) else None
        if found is None and not isinstance(node, yaml.SequenceNode):
            return text
        above, node = found or (None, _item(node, key))
    if not isinstance(node, yaml.MappingNode):
        raise CannotEdit("only a key of a mapping can be taken out: set the whole list anew")
    pair = _entry(node, keys[-1])
    if pair is None:
        return text
    if len(node.value) == 1:
        return _replace(text, above, node, {})
    return (_cut_from_flow if node.flow_style else _cut_lines)(text, node, pair)


# -- finding


def _compose(text: str) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError:
        node = None
    if node is None:
        raise CannotEdit("cannot be read by itself: change it by hand")
    return node


def nodes_at(text: str, paths: Sequence[Sequence[str | int]]) -> list[yaml.Node]:
    """The nodes at paths that are known to exist; the text is read once."""
    top = _compose(text)
    return [_down(top, path) for path in paths]


def _down(node: yaml.Node, path: Sequence[str | int]) -> yaml.Node:
    for part in path:
        found = _entry(node, str(part)) if isinstance(node, yaml.MappingNode) else None
        node = found[1] if found is not None else _item(node, str(part))
    return node


def _entry(node: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next((pair for pair in node.value if pair[0].value == key), None)


def _item(node: yaml.Node, key: str) -> yaml.Node:
    if not isinstance(node, yaml.SequenceNode) or not key.isdecimal() or int(key) >= len(node.value):
        raise CannotEdit("there is no such item in the list")
    item: yaml.Node = node.value[int(key)]
    return item


def _require_nothing(node: yaml.Node, keys: Keys) -> None:
    """Refuse to make a mapping of a value that is one; of nothing it may be made."""
    if not isinstance(node, yaml.ScalarNode) or node.style or node.value not in ("", "~", "null"):
        raise CannotEdit(f"{'.'.join(keys)} is a single value, and has nothing inside")


def end_of(node: yaml.Node, text: str) -> int:
    """Where a value's own text ends: the parser's mark of a block lies behind the blanks and comments that follow."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode):
        return start + len(text[start:end].rstrip()) if node.style in ("|", ">") else end
    if is_flow(node) or not node.value:
        return end
    last = node.value[-1]
    return end_of(last[1] if isinstance(node, yaml.MappingNode) else last, text)


def is_flow(node: yaml.Node) -> bool:
    """True for a single value, and for brackets or braces: what does not go by indentation."""
    return not isinstance(node, yaml.CollectionNode) or bool(node.flow_style)


def line_end(text: str, at: int) -> int:
    """Where the line of a position ends, before its line break."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return end - 1 if end > at and text[end - 1] == "\r" else end


# -- writing


def _nested(keys: Keys, value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _insert(text: str, node: yaml.MappingNode, key: str, value: Any) -> str:
    """A new key after the last one of a mapping."""
    if node.flow_style:
        if not node.value:
            at = int(node.start_mark.index) + 1
            return f"{text[:at]}{_scalar(key)}: {flow(value)}{text[at:]}"
        at = max(end_of(each, text) for each in node.value[-1])
        return f"{text[:at]}, {_scalar(key)}: {flow(value)}{text[at:]}"
    at, indent = line_end(text, end_of(node, text)), int(node.start_mark.column)
    return text[:at] + _break(text) + _break(text).join(_block({key: value}, indent)) + text[at:]


def _break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _replace(text: str, name: yaml.Node | None, node: yaml.Node, value: Any) -> str:
    """Another value for a key (``name``) or an item of a list (no name)."""
    start, end = int(node.start_mark.index), end_of(node, text)
    if isinstance(node, yaml.ScalarNode) and start == end:  # a key that says nothing
        return f"{text[:start]} {flow(value)}{text[end:]}"
    if is_flow(node) or name is None:
        return f"{text[:start]}{flow(value)}{text[end:]}"
    deeper = (
        "  " if int(node.start_mark.column) <= int(name.start_mark.column) else ""
    )  # a list may stand below its key
    if isinstance(value, dict) and value:
        lines = _block(value, int(node.start_mark.column) + len(deeper))
        return text[:start] + deeper + _break(text).join(lines).lstrip() + text[end:]
    colon = text.index(":", end_of(name, text)) + 1
    if "#" not in text[colon:start]:
        return f"{text[:colon]} {flow(value)}{text[end:]}"
    return f"{text[:start]}{deeper}{flow(value)}{text[end:]}"  # a comment stands beside the key, and stays there


def _cut_lines(text: str, mapping: yaml.MappingNode, pair: tuple[yaml.Node, yaml.Node]) -> str:
    """A block mapping without one key: its lines go; the next key moves up where the first shares a list's dash, or
    leads a fragment.
    """
    start, end = int(pair[0].start_mark.index), line_end(text, max(end_of(each, text) for each in pair))
    line = text.rfind("\n", 0, start) + 1
    if not line or text[line:start].strip():
        following = int(mapping.value[1][0].start_mark.index)
        if text[end:following].strip():
            raise CannotEdit("a comment stands between this key and the next: take it out by hand")
        return text[:start] + text[following:]
    rest = text[end:].removeprefix("\r\n").removeprefix("\n")
    return text[:line] + rest if rest else text[:line].removesuffix("\n").removesuffix("\r") + text[end:]


def _cut_from_flow(text: str, mapping: yaml.MappingNode, pair: tuple[yaml.Node, yaml.Node]) -> str:
    """A flow mapping without one key and one of the commas beside it."""
    index = next(number for number, each in enumerate(mapping.value) if each is pair)
    start, end = int(pair[0].start_mark.index), max(end_of(each, text) for each in pair)
    if index:
        before = max(end_of(each, text) for each in mapping.value[index - 1])
        gap, cut = text[before:start], (before, end)
    else:
        following = int(mapping.value[1][0].start_mark.index)
        gap, cut = text[end:following], (start, following)
    if "#" in gap:
        raise CannotEdit("a comment stands between this key and the next: take it out by hand")
    return text[: cut[0]] + text[cut[1] :]


def _block(value: Mapping[str, Any], indent: int) -> list[str]:
    """Lines of a block mapping; what is a mapping inside is one too."""
    lines = []
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            lines += [f"{' ' * indent}{_scalar(key)}:", *_block(inner, indent + 2)]
        else:
            lines.append(f"{' ' * indent}{_scalar(key)}: {flow(inner)}")
    return lines


def flow(value: Any) -> str:
    """A value on one line, as YAML that the strict rules read as the same value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _ELSEWHERE_BOOL and _reads_back(value):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escaped(c) for c in quoted)


def _reads_back(value: str) -> bool:
    """True if the bare text means itself to the strict rules, in a list on one line too."""
    parsed = parse(f"[{value}]")
    return not parsed.problems and bool(parsed.data == [value])


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
