"""The total-queue check (after Jepsen's): what went in, what was promised, what came out. Pure.

*lost*: acknowledged, and not ended anywhere, or ended as delivered and no receiver has it. *unexpected*: received or
kept, never submitted. *duplicated*: taken in more than once by a receiver that honours message ids, kept as two cases,
or sent again with other bytes. *recovered*: the submitter once did not learn the outcome, and it was delivered.
*unheard*: ended, and the contact centre never heard of it on the feed of events.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

DELIVERED_STATES = frozenset({"sent", "delivered", "received", "registered", "answered", "answered_interim"})
ENDED_STATES = frozenset({"answered", "refused"})
FINISHED_STATES = frozenset({"answered", "withdrawn", "concluded"})
FINAL_EVENTS = frozenset({"answered", "refused", "escalated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One arrival at a receiver. ``taken``: it took the message in now (not a repeat of an id, not failed before).
    ``at``: seconds of a monotonic clock.
    """

    authority: str
    message_id: str
    reference: str
    digest: str
    taken: bool
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCase:
    """A case as the hub's doors tell it. ``due``: a term of it runs, or has run out."""

    case_id: str
    reference: str
    state: str
    needs_operator: bool
    due: bool = True

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be expected."""
        return self.state in ENDED_STATES or self.needs_operator

    @property
    def forgotten(self) -> bool:
        """Whether it is not finished and nothing of it will ever come due."""
        return self.state not in FINISHED_STATES and not self.due


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What everybody saw. ``uncertain``: references for which a try of the submitter ended without an answer."""

    submitted: frozenset[str]
    acknowledged: Mapping[str, str]
    uncertain: frozenset[str]
    arrivals: Sequence[Arrival]
    kept: Sequence[KeptCase]
    events: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of a count. Sets hold references of the contact centre."""

    submitted: int
    acknowledged: int
    received: int
    repeats: int
    lost: frozenset[str]
    unexpected: frozenset[str]
    duplicated: frozenset[str]
    recovered: frozenset[str]
    unheard: frozenset[str]
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether every promise held."""
        return not (self.lost or self.unexpected or self.duplicated or self.unheard)


def _duplicated(books: Books) -> dict[str, str]:
    found: dict[str, str] = {}
    taken: dict[str, set[str]] = defaultdict(set)
    times: Counter[str] = Counter()
    bytes_of: dict[str, set[str]] = defaultdict(set)
    for arrival in books.arrivals:
        bytes_of[arrival.message_id].add(arrival.digest)
        if len(bytes_of[arrival.message_id]) > 1:
            found[arrival.reference] = "other bytes under the same message id"
        if arrival.taken:
            taken[arrival.reference].add(arrival.message_id)
            times[arrival.message_id] += 1
            if len(taken[arrival.reference]) > 1 or times[arrival.message_id] > 1:
                found[arrival.reference] = "taken in twice"
    cases = Counter(case.reference for case in books.kept)
    found.update({reference: "two cases" for reference, count in cases.items() if count > 1})
    return found


def _lost(books: Books, taken: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    by_id = {case.case_id: case for case in books.kept}
    for reference, case_id in books.acknowledged.items():
        case = by_id.get(case_id)
        if case is None:
            found[reference] = "the hub has no such case"
        elif not case.ended:
            found[reference] = f"never ended: {case.state}"
        elif case.forgotten:
            found[reference] = f"{case.state}, and without a due date"
        elif case.state in DELIVERED_STATES and reference not in taken:
            found[reference] = f"{case.state} in the hub, and nobody took it in"
    return found


def count(books: Books) -> Verdict:
    """Count."""
    taken = frozenset(arrival.reference for arrival in books.arrivals if arrival.taken)
    kept = frozenset(case.reference for case in books.kept)
    duplicated, lost = _duplicated(books), _lost(books, taken)
    unexpected = (taken | kept) - books.submitted
    ended = {case.reference for case in books.kept if case.ended}
    unheard = {
        case.reference
        for case in books.kept
        if case.ended and not books.events.get(case.case_id, frozenset()) & FINAL_EVENTS
    }
    return Verdict(
        submitted=len(books.submitted),
        acknowledged=len(books.acknowledged),
        received=len(taken),
        repeats=len(books.arrivals) - sum(arrival.taken for arrival in books.arrivals),
        lost=frozenset(lost),
        unexpected=unexpected,
        duplicated=frozenset(duplicated),
        recovered=frozenset(books.uncertain & taken & ended),
        unheard=frozenset(unheard),
        why={**dict.fromkeys(unexpected, "never submitted"), **duplicated, **lost},
    )


COLUMNS = ("cell", "strikes", "submitted", "accepted", "received", "repeats", "lost", "unexp.", "dupl.", "recov.")
_MORE = ("unheard", "secs", "result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One cell's line of the table. ``faults``: what else did not hold, in words."""

    cell: str
    strikes: int
    secs: float
    verdict: Verdict | None
    faults: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether the cell holds."""
        return not self.faults and (self.verdict is None or self.verdict.good)

    def values(self) -> tuple[str, ...]:
        """The line's cells."""
        v = self.verdict
        counted: Iterable[int] = (
            (0,) * 8
            if v is None
            else (
                v.submitted,
                v.acknowledged,
                v.received,
                v.repeats,
                len(v.lost),
                len(v.unexpected),
                len(v.duplicated),
                len(v.recovered),
            )
        )
        unheard = 0 if v is None else len(v.unheard)
        return (
            self.cell,
            str(self.strikes),
            *map(str, counted),
            str(unheard),
            f"{self.secs:.1f}",
            "ok" if self.good else "FAILED",
        )

    def words(self) -> list[str]:
        """What went wrong, a line each, at most ten."""
        told = list(self.faults)
        if self.verdict is not None:
            told += [f"{reference}: {why}" for reference, why in sorted(self.verdict.why.items())]
            told += [f"{reference}: no event told its end" for reference in sorted(self.verdict.unheard)]
        return told[:10] + ([f"… and {len(told) - 10} more"] if len(told) > 10 else [])


def render(lines: Sequence[Line]) -> list[str]:
    """The table with a sum below."""
    heads = COLUMNS + _MORE
    rows = [heads, *(line.values() for line in lines)]
    sums = [sum(int(line.values()[n]) for line in lines) for n in range(1, len(heads) - 2)]
    secs = f"{sum(line.secs for line in lines):.1f}"
    good = sum(line.good for line in lines)
    rows.append(("all", *map(str, sums), secs, f"{good}/{len(lines)}"))
    widths = [max(len(row[n]) for row in rows) for n in range(len(heads))]
    return [
        "  ".join(
            text.ljust(w) if n == 0 else text.rjust(w) for n, (text, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
