"""``results.json`` for programs and ``RESULTS.md`` for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.goals import GOALS, PER_S_LIMIT, Results, missed
from benchmarks.machine import OTHER

FOLDER = Path(__file__).parent
JSON_FILE, TEXT_FILE = "results.json", "RESULTS.md"
BUSY_PERCENT = 5.0
"""More of the machine than this used by others, and the report says so."""


def write(results: Results, surroundings: Mapping[str, Any], *, full: bool, folder: Path = FOLDER) -> None:
    """Write both files; a run of some figures keeps what an earlier one found of the others."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JSON_FILE
    old: Results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    whole = {key: results.get(key, old.get(key)) for key in GOALS if key in results or key in old}
    day = datetime.now(UTC).date().isoformat()
    for key in results:
        whole[key]["detail"] = {**whole[key].get("detail", {}), "measured_on": day, "full": full}  # type: ignore[index, union-attr]
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (folder / TEXT_FILE).write_text("\n".join(text(whole, surroundings, day)) + "\n", "utf-8")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


_RUNS = {
    frozenset({True}): "full run",
    frozenset({False}): "quick run",
    frozenset({True, False}): "quick and full runs (which figure is of which stands in results.json)",
}


def text(results: Mapping[str, Any], surroundings: Mapping[str, Any], day: str) -> list[str]:
    """The report's lines."""
    runs = _RUNS[frozenset(entry["detail"].get("full", False) for entry in results.values())]
    return [
        "# Results of `make bench`",
        "",
        f"{day}, {runs}, written by `python -m benchmarks`; do not edit.",
        "Everything ran on one machine: doors, workers, sweeper, PostgreSQL, RabbitMQ, load generator and receiving",
        "authorities. Ratios are of things that ran in turns in the same run; absolute figures only inform.",
        "",
        *_figures(results),
        "",
        *_verdict(results),
        "",
        *_throughput(results),
        *_where_time_goes(results),
        "## Machine",
        "",
        *_table(("what", "value"), _flat(surroundings)),
    ]


def _figures(results: Mapping[str, Any]) -> list[str]:
    rows = []
    for key, goal in GOALS.items():
        entry = results.get(key)
        what = _what(goal.what, entry)
        if entry is None:
            rows.append((f"`{key}`", what, "not measured", goal.rule(""), "–"))
            continue
        unit = entry["unit"]
        rows.append(
            (
                f"`{key}`",
                what,
                f"{entry['value']} {unit}",
                goal.rule(unit),
                "met" if goal.met(entry["value"]) else "**missed**",
            )
        )
    return _table(("key", "what", "measured", "goal", ""), rows)


def _what(text: str, entry: Mapping[str, Any] | None) -> str:
    """What was measured, with the size at which it was: a quick run's is smaller."""
    stored = entry["detail"].get("stored") if entry is not None else None
    return text.replace("{stored}", f"{stored:,}" if stored is not None else "1,000,000")


def _verdict(results: Mapping[str, Any]) -> list[str]:
    wrong = missed(dict(results))
    lines = [f"All {len(results)} measured figures hold."] if not wrong else ["What does not hold:", ""]
    for key in wrong:
        if key == "per_s":
            lines.append(f"- fewer than {PER_S_LIMIT} messages a second end to end")
        else:
            value, limit = results[key]["value"], GOALS[key].limit
            lines.append(f"- `{key}`: {value} instead of {limit:g}, off by a factor of {_factor(value, limit)}")
    return lines


def _factor(value: float, limit: float) -> str:
    low, high = sorted((value, limit))
    return f"{high / low:.2f}" if low > 0 else "∞"


def _throughput(results: Mapping[str, Any]) -> list[str]:
    detail = results.get("ratio_to_floor", {}).get("detail")
    if not detail:
        return []
    rounds = detail["rounds"]
    return [
        "## Side by side",
        "",
        "Messages a second, one pipeline after the other in each round; while one runs, the others stand still.",
        "",
        *_table(
            ("round", "bare loop", "plain pipeline", "hub", "hub to floor", "hub to plain"),
            [
                (
                    number,
                    r["floor"],
                    r["plain"],
                    r["hub"],
                    round(r["hub"] / r["floor"], 3),
                    round(r["hub"] / r["plain"], 2),
                )
                for number, r in enumerate(rounds, start=1)
            ],
        ),
        "",
        f"Accounting of the hub over all rounds: {_sums(detail['accounting'])}.",
        "",
    ]


def _sums(accounting: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in accounting.items())


def _where_time_goes(results: Mapping[str, Any]) -> list[str]:
    cpu = results.get("ratio_to_floor", {}).get("detail", {}).get("cpu")
    if not cpu:
        return []
    rows = [(stage, f"{part['share_percent']} %", part["us_per_message"]) for stage, part in cpu.items()]
    lines = [
        "## Where the time goes",
        "",
        "CPU time during the hub's rounds, by stage.",
        "",
        *_table(("stage", "share of CPU", "µs for each message"), rows),
        "",
    ]
    if cpu.get(OTHER, {}).get("share_percent", 0) > BUSY_PERCENT:
        lines += ["The machine did other work at the same time, so all of this is slower than it would be alone.", ""]
    return lines


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name} ")
        else:
            rows.append((f"{prefix}{name}", value))
    return rows
