"""Slots: members that a document of another system has, as its description or a sample of it shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_SLOTS: Final = 2_000
MAX_DEPTH: Final = 14
"""Objects and lists in one another; with what stands around them in the registry below the depth that is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One member. ``kind``: in the words of its description, for people; ``words``: all that it can be, if they are
    known; ``required``: None = not told; ``many``: a list; ``members``: of an object; ``sample``: a value that stood
    there; ``note``: what the description says about it; ``choice``: one of several in its place.
    """

    name: str
    kind: str
    words: tuple[str, ...] = ()
    required: bool | None = None
    many: bool = False
    members: tuple[Slot, ...] = ()
    sample: str | None = None
    note: str | None = None
    choice: bool = False

    def leaves(self, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Slot]]:
        """Values in it, each with the names that lead to it."""
        if not self.members:
            yield at, self
        for member in self.members:
            yield from member.leaves((*at, member.name))
