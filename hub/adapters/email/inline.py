"""Files that stand as letters in a text: uuencode, as old programs and scanners still send it. Pure; linear."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hub.schemas.transfer_encoding import undone, uu_lines

MAX_FILES: Final = 100
_BEGIN: Final = re.compile(r"^begin(-base64)? [0-7]{3,4} ([^\r\n]{1,300}?)[ \t]*$")
_ENDS: Final = {False: "end", True: "===="}


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineFile:
    """A file out of a text."""

    name: str
    data: bytes


def taken_out(text: str) -> tuple[str, tuple[InlineFile, ...]]:
    """The text without its encoded files, and these. A block without an end, or with other lines in it, stays text."""
    if "begin" not in text:
        return text, ()
    lines = text.splitlines(keepends=True)
    kept: list[str] = []
    files: list[InlineFile] = []
    at = 0
    while at < len(lines):
        end, file = _block(lines, at) if len(files) < MAX_FILES else (at, None)
        if file is None:
            kept += lines[at : max(end, at + 1)]
        else:
            files.append(file)
        at = max(end, at) + 1 if file is not None else max(end, at + 1)
    return "".join(kept), tuple(files)


def _block(lines: list[str], at: int) -> tuple[int, InlineFile | None]:
    """The number of the line that ends the block, and its file; without one, the line up to which nothing begins."""
    begins = _BEGIN.match(lines[at][:400].rstrip("\r\n"))
    if begins is None:
        return at, None
    base64 = begins[1] is not None
    end = at + 1
    while end < len(lines) and lines[end].strip() != _ENDS[base64]:
        if not lines[end].isascii() or len(lines[end]) > 100:
            return end, None
        end += 1
    if end == len(lines):
        return end, None
    coded = [line.rstrip("\r\n").encode("ascii") for line in lines[at + 1 : end]]
    data = undone(b"\n".join(coded), "base64") if base64 else uu_lines(coded)
    return (end, InlineFile(name=begins[2], data=data)) if data else (end, None)
