"""Numbers of cases, given out in blocks."""

from __future__ import annotations

from typing import Final, Protocol

NUMBER_TAKEN: Final = "case.number_taken"
"""Code of the refusal of a new case whose number another case of its owner has."""


class CaseNumbers(Protocol):
    """The counter of each owner and Kyiv year."""

    def take_numbers(self, owner: str, year: int, count: int) -> int:
        """Take so many numbers in a row for good; the first of them. A number is never given out twice.

        Raises ``Unavailable``.
        """
        ...
