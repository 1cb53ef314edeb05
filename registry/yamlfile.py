"""Reads a strict part of YAML: mappings, lists, text, numbers, true/false, null. Nothing that a reviewer cannot see.

Why not ``yaml.safe_load``: it keeps the last of two equal keys in silence, expands aliases (a "billion laughs" in a
file of 1 kB), and reads 00032106 as the octal number 13382. Here each of these is a fault with its line. Dates stay
text; ``yes`` and ``no`` stay text; only ``true``, ``false``, ``null``, ``~`` and numbers are more than text.

Positions cost memory, so a good file is read without them; ``lines`` reads the same text again when a fault needs one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

MAX_DEPTH = 24
"""Mappings and lists in one another; deeper is refused (channel settings need about eight)."""

Path: TypeAlias = tuple[str | int, ...]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where the wheel has it: about ten times faster
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}", re.ASCII)
_LOSES_ZEROS = re.compile(r"[+-]?0[0-9_]+", re.ASCII)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlProblem:
    """Something that a file says and must not. ``path``: from the top of the document; ``line``: counted from 1."""

    path: Path
    line: int
    code: str
    message: str


@dataclass(slots=True)
class Parsed:
    """Content of a file. ``data`` is None and ``problems`` is not empty when it could not be read to its end."""

    data: Any = None
    problems: list[YamlProblem] = field(default_factory=list)


class _Stop(Exception):
    """The rest of the file cannot be read; the problem is noted already."""


@dataclass(slots=True)
class _Frame:
    container: dict[str, Any] | list[Any]
    key: str | None = None
    awaits_value: bool = False
    seen: dict[str, int] = field(default_factory=dict)


def parse(text: str) -> Parsed:
    """Read one document. Never raises for what the text says: that is a ``YamlProblem``."""
    return _Builder(None).run(text)


def lines(text: str) -> dict[Path, int]:
    """Line of every key and list item of a text, by path; as far as it can be read."""
    found: dict[Path, int] = {(): 1}
    _Builder(found).run(text)
    return found


_NO_COLON: Final = "could not find expected ':'"
_HINTS: Final = {
    _NO_COLON: "a key is followed by a colon and a blank",
    "did not find expected key": "look at the indentation of this line and of the one before",
    "did not find expected '-' indicator": "look at the indentation of this line and of the one before",
    "mapping values are not allowed in this context": "a text that holds a colon stands in quotes; look at the "
    "indentation",
}


def _hint(problem: str, text: str, line: int) -> str:
    """Words about the usual cause."""
    lines = text.splitlines()
    if line <= len(lines) and "\t" in lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]:
        return "; a tab stands there, and YAML indents with blanks only"
    return f"; {_HINTS[problem]}" if problem in _HINTS else ""


class _Builder:
    """Builds data from parser events without recursion, so that depth is our limit and not the interpreter's."""

    def __init__(self, positions: dict[Path, int] | None) -> None:
        self._positions = positions
        self._stack: list[_Frame] = []
        self._parsed = Parsed()
        self._documents = 0

    def run(self, text: str) -> Parsed:
        try:
            for event in yaml.parse(text, Loader=_Loader):
                self._take(event)
        except _Stop:
            self._parsed.data = None
        except yaml.MarkedYAMLError as error:
            problem = error.problem or "cannot be read"
            mark = error.context_mark if problem == _NO_COLON and error.context_mark else error.problem_mark
            line = mark.line + 1 if mark else 1
            self._note(line, "registry.yaml.syntax", f"is not YAML: {problem}{_hint(problem, text, line)}")
            self._parsed.data = None
        except yaml.reader.ReaderError as error:
            at = error.position if isinstance(error.position, int) else 0
            self._note(text.count("\n", 0, at) + 1, "registry.yaml.character", "a character that YAML does not allow")
            self._parsed.data = None
        return self._parsed

    def _take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tricks(event, line)
            self._scalar(event, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_tricks(event, line)
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], line)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._note(line, "registry.yaml.alias", "aliases (*name) are not allowed: write the value out")
            self._add(None, line)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._note(line, "registry.yaml.documents", "a second document (---) in one file is not allowed")
                raise _Stop

    def _refuse_tricks(self, event: yaml.NodeEvent, line: int) -> None:
        if event.anchor is not None:
            self._note(line, "registry.yaml.anchor", "anchors (&name) are not allowed: write the value out")
        if getattr(event, "tag", None) is not None:
            self._note(line, "registry.yaml.tag", "tags (!name) are not allowed")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and not frame.awaits_value:
            self._key(frame, event.value, plain=not event.style, line=line)
        else:
            self._add(self._value(event.value, line) if not event.style else event.value, line)

    def _value(self, text: str, line: int) -> str | int | float | bool | None:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return float(text)
        if _LOSES_ZEROS.fullmatch(text):
            message = "digits that begin with a zero must stand in quotes, or YAML readers take them for a number"
            self._note(line, "registry.yaml.quote", message)
        return text

    def _key(self, frame: _Frame, text: str, *, plain: bool, line: int) -> None:
        if plain and (text in _WORDS or _INTEGER.fullmatch(text)):
            self._note(line, "registry.yaml.key", "a key must be text: put it in quotes", text)
        if text in frame.seen:
            self._note(line, "registry.yaml.duplicate_key", f"this key stands at line {frame.seen[text]} already", text)
        frame.seen.setdefault(text, line)
        frame.key, frame.awaits_value = text, True
        if self._positions is not None:
            self._positions.setdefault(self._path(), line)

    def _open(self, container: dict[str, Any] | list[Any], line: int) -> None:
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and not frame.awaits_value:
            self._note(line, "registry.yaml.key", "a key must be text, not a list or a mapping")
            raise _Stop
        if len(self._stack) >= MAX_DEPTH:
            self._note(line, "registry.yaml.depth", f"nested deeper than {MAX_DEPTH} levels")
            raise _Stop
        self._add(container, line)
        self._stack.append(_Frame(container))

    def _add(self, value: Any, line: int) -> None:
        if not self._stack:
            self._parsed.data = value
            return
        frame = self._stack[-1]
        if isinstance(frame.container, list):
            frame.container.append(value)
            if self._positions is not None:
                self._positions[self._path()] = line
            return
        if not frame.awaits_value or frame.key is None:  # only an alias comes here: *name as a key
            raise _Stop
        frame.container.setdefault(frame.key, value)  # the first of two equal keys: the fault is noted anyway
        frame.awaits_value = False

    def _path(self, *, ahead: bool = False) -> Path:
        """Where the value stands that was added last, or (``ahead``) that is about to be added."""
        parts: list[str | int] = []
        for depth, frame in enumerate(self._stack, start=1):
            if isinstance(frame.container, list):
                parts.append(len(frame.container) - (0 if ahead and depth == len(self._stack) else 1))
            elif frame.key is not None:
                parts.append(frame.key)
        return tuple(parts)

    def _note(self, line: int, code: str, message: str, key: str | None = None) -> None:
        path = self._path(ahead=True)
        if key is not None and (not path or path[-1] != key):
            path = (*path[: len(self._stack) - 1], key)
        self._parsed.problems.append(YamlProblem(path=path, line=line, code=code, message=message))
