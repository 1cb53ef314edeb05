"""``registry_change_s``: a hundred channels changed by one pattern, and the change checked with stored cases.

The registry is the draft of the whole country, with channels for 600 bodies in six files. Cases are taken in by the hub
itself. Measured is the command that a person types, as a process of its own: ``hub registry set --cases`` on a copy of
the folder; beside it ``hub registry diff --cases`` of the two. On SQLite and on PostgreSQL; the slower counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.places import database
from benchmarks.processes import BenchmarkError
from hub import adapters
from hub.bootstrap import build
from hub.cases.submission import Submission
from hub.cli.init import make_home
from hub.settings import Settings
from hub.simulator.appeals import generate
from registry import drafting, load

CHANGED, OTHERS, FILES = 100, 500, 6
PATTERN = "*.main"
CHANGES = ("lane.rate_per_sec=5", "valid_to=2026-01-01")
_BATCH = 100
_TIMEOUT_SECS = 600


def measure(cases: int) -> dict[str, Any]:
    """The figure with so many stored cases."""
    with TemporaryDirectory(prefix="hub-bench-") as folder, database() as url:
        old = make_registry(Path(folder) / "registry")
        runs = {
            name: _run(Settings(home=Path(folder) / name, database_url=at, registry=old), cases)
            for name, at in (("sqlite", None), ("postgresql", url))
        }
    slowest = max(run["secs"] for run in runs.values())
    return {"value": slowest, "unit": "s", "detail": {"stored": cases, "channels": CHANGED, **runs}}


def make_registry(folder: Path) -> Path:
    """The whole country's draft, and channels for some of its bodies: those that will change end with ``.main``."""
    drafting.draft(folder)
    bodies = [body for body in load(folder, adapters.table()).authorities() if body.competences]
    chosen = sorted(bodies, key=lambda body: (-len(body.competences), body.code))[: CHANGED + OTHERS]
    entries = [_entry(body.code, "main" if index < CHANGED else "rest") for index, body in enumerate(chosen)]
    each = len(entries) // FILES
    for number in range(FILES):
        text = "\n".join(["# Channels, by hand", "channels:", *entries[number::FILES][:each], ""])
        (folder / f"channels-{number}.yaml").write_text(text, encoding="utf-8")
    return folder


def _entry(code: str, name: str) -> str:
    return f"""\
  - authority: "{code}"
    channel:
      id: {code}.{name}
      adapter: rest
      settings:
        url: https://{code}.example/hub  # their front door
        auth: {{type: bearer, token: "file:/etc/hub/{code}.token"}}
      lane:
        rate_per_sec: 20  # agreed by letter
"""


def _run(settings: Settings, cases: int) -> dict[str, Any]:
    make_home(settings)
    _fill(settings, cases)
    old = settings.registry_folder
    new = settings.home / "changed"
    shutil.copytree(old, new)
    words = ["registry", "set", PATTERN, *CHANGES, "--registry", str(new), "--cases", f"last:{cases}"]
    used = _cpu_secs()
    secs, changed = _hub(settings, words)
    cpu_secs = _cpu_secs() - used
    diff_secs, told = _hub(settings, ["registry", "diff", str(old), str(new), "--cases", f"last:{cases}"])
    found = changed["cases"]
    if len(changed["changed"]) != CHANGED or found["asked"] != cases or found != told["cases"]:
        raise BenchmarkError(f"{len(changed['changed'])} channels changed, {found['asked']} cases asked about")
    return {
        "secs": round(secs, 2),
        "cpu_secs": round(cpu_secs, 2),
        "diff_secs": round(diff_secs, 2),
        "elsewhere": found["elsewhere"],
        "causes": len(found["causes"]),
    }


def _fill(settings: Settings, cases: int) -> None:
    hub = build(settings)
    try:
        directory = hub.registry.current()
        topics = [topic.code for topic in directory.topics()]
        places = [unit.code for unit in directory.units() if unit.level.value in "HB"]
        forms = generate(cases, seed=1269, topics=topics, places=places)
        made = [Submission(form=form, owner=settings.party_code) for form in forms]
        for first in range(0, cases, _BATCH):
            hub.intake.submit_all(made[first : first + _BATCH])
    finally:
        hub.close()


def _hub(settings: Settings, words: Sequence[str]) -> tuple[float, Any]:
    """Seconds and answer of one command."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody's shell has it, and each command would compile the hub
    environ |= {"HUB_HOME": str(settings.home)}
    if settings.database_url is not None:
        environ["HUB_DATABASE_URL"] = settings.database_url
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "hub", *words, "--json"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_SECS,
    )
    secs = time.perf_counter() - began
    if done.returncode:
        raise BenchmarkError(f"hub {words[0]} {words[1]} failed: {done.stderr[-2000:]}")
    return secs, json.loads(done.stdout)


def _cpu_secs() -> float:
    """Processor time of the commands so far; on a busy machine they take longer than that."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    print(json.dumps({"registry_change_s": measure(parser.parse_args().cases)}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
