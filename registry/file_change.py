"""One file of the registry with other settings of some of its channels: its bytes before and after."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from hub.errors import Conflict, Fault, InvalidInput
from registry.assignments import ACTION, NewValue, same
from registry.edit import CannotEdit, Keys, assign, end_of, is_flow, line_end, nodes_at, remove
from registry.faults import pointer
from registry.source import Place
from registry.yamlfile import parse

_CONTEXT_LINES: Final = 2
_HUNK: Final = re.compile(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChange:
    """Lines of one channel, before and after. ``line``: number of the first, from 1, in the file as it is."""

    channel_id: str
    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file's bytes, before and after, and the channels that differ, in the file's order."""

    name: str
    before: bytes
    after: bytes
    channels: tuple[ChannelChange, ...] = ()

    def diff(self) -> list[str]:
        """The difference in the unified form, each part with the channel that it changes."""
        lines, moved = [f"--- {self.name}", f"+++ {self.name}"], 0
        for each in self.channels:
            parts = difflib.unified_diff(each.before, each.after, n=_CONTEXT_LINES, lineterm="")
            lines += [_placed(line, each, moved) for line in list(parts)[2:]]
            moved += len(each.after) - len(each.before)
        return lines


def _placed(line: str, each: ChannelChange, moved: int) -> str:
    """A line of a difference; a head of a part gets the numbers that lines have in the file."""
    head = _HUNK.fullmatch(line)
    if head is None:
        return line
    old, new = (int(head[n]) + each.line - 1 for n in (1, 3))
    return f"@@ -{old}{head[2] or ''} +{new + moved}{head[4] or ''} @@ {each.channel_id}"


def change_file(
    folder: Path, name: str, channels: Sequence[tuple[str, Place]], assignments: Sequence[NewValue]
) -> FileChange:
    """The file with all values in the channels that stand at these places. A file that has faults is left as it is.

    Raises ``InvalidInput`` for a value that cannot be put there, ``Conflict`` if the file is not the one that was read.
    """
    before = (folder / name).read_bytes()
    text = before.decode("utf-8-sig")
    if text.splitlines() != channels[0][1].source.text.splitlines():
        raise changed_meanwhile(name)
    parsed = parse(text)
    edits = [] if parsed.problems else list(_edits(text, parsed.data, channels, assignments))
    new = _spliced(text, edits)
    reread = parse(new)
    if edits and (reread.problems or not same(reread.data, parsed.data)):
        raise _cannot(channels[0][1], (), "the layout here cannot be kept: change this file by hand")
    mark = _BOM if before.startswith(_BOM) else b""
    changed = tuple(edit.shown(text) for edit in edits)
    return FileChange(name=name, before=before, after=mark + new.encode(), channels=changed)


def changed_meanwhile(name: str) -> Conflict:
    """The error of a file that is another than it was when the change was planned."""
    return Conflict(
        f"{name} was changed by somebody else meanwhile; nothing was written.",
        code="registry.set.changed",
        action="Look at that change, then try again.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """New text for the span of one channel."""

    channel_id: str
    start: int
    end: int
    text: str

    def shown(self, text: str) -> ChannelChange:
        """The whole lines on which the channel stands."""
        first, last = text.rfind("\n", 0, self.start) + 1, line_end(text, self.end)
        return ChannelChange(
            channel_id=self.channel_id,
            line=text.count("\n", 0, first) + 1,
            before=tuple(text[first:last].splitlines()),
            after=tuple((text[first : self.start] + self.text + text[self.end : last]).splitlines()),
        )


def _edits(
    text: str, data: Any, channels: Sequence[tuple[str, Place]], assignments: Sequence[NewValue]
) -> Iterator[_Edit]:
    """Edits of the channels that change, in the file's order; ``data`` becomes what the new text must say."""
    nodes = nodes_at(text, [place.path for _, place in channels])
    placed = zip(channels, nodes, strict=True)
    for (channel_id, place), node in sorted(placed, key=lambda each: int(each[1].start_mark.index)):
        due = [each for each in assignments if each.apply(_inside(data, place))]
        if due:
            yield _edit(text, channel_id, place, node, due)


def _inside(data: Any, place: Place) -> Any:
    for part in place.path:
        data = data[part]
    return data


def _edit(text: str, channel_id: str, place: Place, node: yaml.Node, due: Iterable[NewValue]) -> _Edit:
    """A channel's own text with all values; it keeps its indentation, so that it can be read by itself."""
    start, end = int(node.start_mark.index), end_of(node, text)
    end = end if is_flow(node) else line_end(text, end)
    indent = " " * int(node.start_mark.column)
    fragment = indent + text[start:end]
    for each in due:
        try:
            fragment = remove(fragment, each.keys) if each.unset else assign(fragment, each.keys, each.value)
        except CannotEdit as error:
            raise _cannot(place, each.keys, str(error)) from None
    return _Edit(channel_id=channel_id, start=start, end=end, text=fragment[len(indent) :])


def _spliced(text: str, edits: Sequence[_Edit]) -> str:
    for edit in reversed(edits):  # the last one first, so that nothing moves that is still to be edited
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _cannot(place: Place, keys: Keys, why: str) -> InvalidInput:
    path = place.inner(*keys).path
    where = pointer(place.source.name, place.source.where(path), path)
    fault = Fault(pointer=where, code="registry.set.place", message=why)
    return InvalidInput("This cannot be set here.", code="registry.set.place", faults=[fault], action=ACTION)
