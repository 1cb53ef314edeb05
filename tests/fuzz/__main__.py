"""``python -m tests.fuzz [TARGET…]``: exit code 1 if an input broke a rule; it is kept in the folder of findings.

Each target runs in two processes of its own, one after the other: guided by coverage (atheris), then with known inputs
swollen. What was learnt stays in the corpus for the next run; seeds are made anew each time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from tests.fuzz.judging import MOST_SECS, Target
from tests.fuzz.swollen import RUNNING
from tests.fuzz.table import HOMES, TARGETS

ROOT = Path(__file__).resolve().parents[2]
_SWOLLEN_SHARE = 0.2
_MEMORY_MIB = 2_048
_HANG_SECS = 60
"""Wall time after which libFuzzer ends an input that never came back."""
_START_SECS = 180
_COVERED = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")
_RUNS = re.compile(r"stat::number_of_executed_units: (\d+)|^#(\d+)\t", re.MULTILINE)
_FOUND = re.compile(r"^FOUND (.*)$", re.MULTILINE)
_SWOLLEN = re.compile(r"^SWOLLEN (\d+) ([0-9.]+)$", re.MULTILINE)
_ARTIFACTS = ("crash-*", "timeout-*", "oom-*", "leak-*", RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Outcome of one target. ``edges`` and ``features``: libFuzzer's counters; ``found``: a line for each finding."""

    name: str
    guided: int
    swollen: int
    edges: int
    features: int
    corpus: int
    slowest: float
    found: tuple[str, ...]

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.name:18} {self.guided:>9} runs {self.swollen:>7} swollen {self.edges:>6} edges "
            f"{self.features:>6} features {self.corpus:>5} kept {self.slowest:>6.2f} s slowest "
            f"{len(self.found)} findings"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where runs take place."""

    corpus: Path
    findings: Path
    seconds: float
    most_secs: float
    seed: int

    def run(self, target: Target) -> Run:
        """One target, guided and swollen."""
        seeds, grown = self.corpus / target.name / "seeds", self.corpus / target.name / "grown"
        grown.mkdir(parents=True, exist_ok=True)
        _write(target.seeds(), seeds)
        found = self.findings / target.name
        found.mkdir(parents=True, exist_ok=True)
        guided = self.guided(target, [grown, seeds], found)
        swollen = self.swollen(target, [grown, seeds], found)
        covered = (_COVERED.findall(guided) or [("0", "0", "0")])[-1]
        runs = [int(final or line) for final, line in _RUNS.findall(guided)]
        grew = _SWOLLEN.search(swollen)
        told = [*_FOUND.findall(guided), *_FOUND.findall(swollen)]
        told += [f"{target.name}: {file.name}" for each in _ARTIFACTS for file in found.glob(each)]
        for name, output, ended in (("guided", guided, bool(runs)), ("swollen", swollen, grew is not None)):
            if not ended:
                (found / f"{name}.log").write_text(output, "utf-8")
                told.append(f"{target.name}: the {name} run broke off; {found / name}.log")
        if not any(found.iterdir()):
            found.rmdir()
        return Run(
            name=target.name,
            guided=max(runs, default=0),
            swollen=int(grew[1]) if grew else 0,
            edges=int(covered[0]),
            features=int(covered[1]),
            corpus=int(covered[2]),
            slowest=float(grew[2]) if grew else 0.0,
            found=tuple(dict.fromkeys(told)),
        )

    def guided(self, target: Target, folders: Sequence[Path], found: Path) -> str:
        """Output of a run that is guided by coverage."""
        secs = max(1, round(self.seconds * (1 - _SWOLLEN_SHARE)))
        words = found / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), "ascii")
        arguments = (
            f"-max_total_time={secs}",
            f"-max_len={target.most_bytes}",
            f"-timeout={_HANG_SECS}",
            f"-rss_limit_mb={_MEMORY_MIB}",
            f"-artifact_prefix={found}/",
            f"-seed={self.seed}",
            *([f"-dict={words}"] if target.words else ()),
            "-print_final_stats=1",
            *map(str, folders),
        )
        try:
            return _output(
                "guided", [HOMES[target.name], target.name, str(found), str(self.most_secs), *arguments], secs
            )
        finally:
            words.unlink()

    def swollen(self, target: Target, folders: Sequence[Path], found: Path) -> str:
        """Output of a run with long inputs."""
        secs = max(1, round(self.seconds * _SWOLLEN_SHARE))
        told = [target.name, str(found), str(self.most_secs), str(secs), str(self.seed), *map(str, folders)]
        return _output("swollen", [HOMES[target.name], *told], secs)


def _output(module: str, arguments: list[str], secs: int) -> str:
    command = [sys.executable, "-W", "ignore", "-m", f"tests.fuzz.{module}", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=secs * 2 + _START_SECS,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode("utf-8", "replace") + "\nended: an input never came back\n"
    return done.stdout.decode("utf-8", "replace")


def _write(seeds: Iterable[bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for seed in seeds:
        (folder / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed)


def _escaped(word: bytes) -> str:
    return "".join(chr(each) if 32 <= each < 127 and each not in b'"\\' else f"\\x{each:02x}" for each in word)


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]…")
@click.option("--seconds", default=60.0, show_default=True, help="Wall time of each target, its start not counted.")
@click.option("--jobs", default=2, show_default=True, help="Targets at once.")
@click.option("--most-secs", default=MOST_SECS, show_default=True, help="Processor time that one input may take.")
@click.option("--seed", type=int, help="Of chance; another one each time, if not given.")
@click.option("--corpus", type=click.Path(path_type=Path), default=ROOT / ".fuzz" / "corpus", help="What was learnt.")
@click.option("--findings", type=click.Path(path_type=Path), default=ROOT / ".fuzz" / "findings", help="Inputs found.")
def main(
    targets: tuple[str, ...],
    seconds: float,
    jobs: int,
    most_secs: float,
    seed: int | None,
    corpus: Path,
    findings: Path,
) -> None:
    """Give foreign bytes to every reader of them, and name those that break a rule."""
    if unknown := sorted(set(targets) - set(TARGETS)):
        raise click.UsageError(f"There is no target {', '.join(unknown)}; there are {', '.join(sorted(TARGETS))}.")
    if importlib.util.find_spec("atheris") is None:
        raise click.ClickException("atheris is not installed; `make fuzz` installs it.")
    seed = secrets.randbelow(1_000_000) + 1 if seed is None else seed
    click.echo(f"seed {seed}")
    ground = Ground(corpus=corpus, findings=findings, seconds=seconds, most_secs=most_secs, seed=seed)
    found: list[str] = []
    with ThreadPoolExecutor(jobs) as pool:
        for run in pool.map(ground.run, [TARGETS[name] for name in targets or TARGETS]):
            click.echo(run.line())
            for told in run.found:
                click.echo(f"  {told}")
            found += run.found
    if found:
        raise click.ClickException(f"{len(found)} findings; the inputs are in {findings}")


if __name__ == "__main__":
    main()
