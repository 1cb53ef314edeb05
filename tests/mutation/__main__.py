"""``python -m tests.mutation``: exit code 1 if a package's rate is under the floor."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import click

from tests.mutation.mutants import Population
from tests.mutation.report import Part, told
from tests.mutation.trial import Ground, tried
from tests.mutation.watch import ASIDE

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("tracking", "router", "evidence", "seals", "cases", "inbound", "outbound")


@click.command()
@click.option("--package", "packages", multiple=True, type=click.Choice(PACKAGES), help="May be given again; all.")
@click.option("--sample", default=300, show_default=True, help="Mutants of each package; all, if it has fewer.")
@click.option("--seed", type=int, help="Of the sample; another one each time, if not given.")
@click.option("--budget-secs", default=15.0, show_default=True, help="Processor time of the tests of one mutant.")
@click.option("--floor", default=85.0, show_default=True, help="Least share that must be noticed, in per cent.")
@click.option("--jobs", default=2, show_default=True, help="Mutants at once.")
@click.option(
    "--reach",
    type=click.Path(path_type=Path),
    help="Keep here what the tests reach, and run only new ones. Right while the packages are the same.",
)
@click.option("--report", type=click.Path(path_type=Path), help="Write the report here, too (Markdown).")
def main(
    packages: tuple[str, ...],
    sample: int,
    seed: int | None,
    budget_secs: float,
    floor: float,
    jobs: int,
    reach: Path | None,
    report: Path | None,
) -> None:
    """Make small faults, see whether any test notices, name those that none did."""
    os.environ.setdefault("HUB_TEST_FORM", "quick")
    seed = secrets.randbelow(10_000) if seed is None else seed
    click.echo(f"seed {seed}")
    begun = time.monotonic()
    parts = []
    for name in packages or PACKAGES:
        population = Population.of(ROOT, f"hub/{name}")
        parts.append(Part(name=name, population=population, mutants=population.sample(sample, seed)))
    tests = sorted(str(each.relative_to(ROOT)) for each in (ROOT / "tests").rglob("test_*.py") if not _aside(each))
    ground = Ground(
        root=ROOT,
        folders=[f"hub/{name}" for name in PACKAGES],
        tests=tests,
        jobs=jobs,
        budget_secs=budget_secs,
        reach=reach,
    )
    trials = tried([mutant for part in parts for mutant in part.mutants], ground)
    for part in parts:
        part.trials = [trial for trial in trials if trial.mutant.path.startswith(f"hub/{part.name}/")]
    text = told(parts, seed=seed, root=ROOT, minutes=(time.monotonic() - begun) / 60)
    click.echo(text)
    if report is not None:
        report.write_text(text, "utf-8")
    if low := [part.name for part in parts if part.rate < floor]:
        raise click.ClickException(f"under {floor:g} %: {', '.join(low)}")


def _aside(file: Path) -> bool:
    inside = str(file.relative_to(ROOT / "tests"))
    return any(inside == each or inside.startswith(f"{each}/") for each in ASIDE)


if __name__ == "__main__":
    main()
