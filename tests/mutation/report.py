"""The report: rates, what was left out by rule, and each mutant that nothing noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutation.mutants import Mutant, Population
from tests.mutation.trial import Trial


@dataclass(kw_only=True)
class Part:
    """A package: its mutants, those drawn, and how they ended."""

    name: str
    population: Population
    mutants: Sequence[Mutant]
    trials: Sequence[Trial] = field(default_factory=list)

    @property
    def survivors(self) -> list[Trial]:
        """Those that nothing noticed, by place."""
        left = (trial for trial in self.trials if not trial.verdict.noticed)
        return sorted(left, key=lambda trial: (trial.mutant.path, trial.mutant.line, trial.mutant.number))

    @property
    def rate(self) -> float:
        """The share that was noticed, in per cent."""
        return 100 * (1 - len(self.survivors) / len(self.trials)) if self.trials else 100.0


def told(parts: Sequence[Part], *, seed: int, root: Path, minutes: float) -> str:
    """The whole report, as Markdown."""
    return "\n".join(_lines(parts, seed, root, minutes))


def _lines(parts: Sequence[Part], seed: int, root: Path, minutes: float) -> Iterator[str]:
    yield f"Seed {seed}; {minutes:.0f} minutes.\n"
    yield "| package | mutants | drawn | noticed | rate | hung or died |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for part in parts:
        ends = Counter(trial.verdict.ending.value for trial in part.trials)
        noticed = len(part.trials) - len(part.survivors)
        yield (
            f"| {part.name} | {len(part.population.sites)} | {len(part.trials)} | {noticed} | {part.rate:.1f} % "
            f"| {ends['hung'] + ends['died']} |"
        )
    rules = sum((part.population.left_out for part in parts), Counter[str]())
    yield "\nLeft out by rule: " + "; ".join(f"{name} {count}" for name, count in rules.most_common()) + ".\n"
    for part in parts:
        for trial in part.survivors:
            yield f"- `{trial.mutant.path}:{trial.mutant.line}` ({trial.reason})\n\n  ```diff"
            yield "\n".join(f"  {line}" for line in trial.mutant.shown(root).splitlines())
            yield "  ```"
