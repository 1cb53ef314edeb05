"""How long one routing decision takes: 100,000 authorities, 31,748 territories, explanation included (`route_us`).

Everything is made up from a seed; the territories have the codifier's shape (25 oblasts, 2 special cities, 136
districts, 1,772 communities, 29,705 settlements, 108 city districts). The mix of questions: half by competence for a
settlement, a quarter with an addressee asked for, an eighth complaints of the competent body, an eighth no place.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date

from hub.router import RoutingRequest, decide
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, Stage, Topic
from hub.schemas.terms import AppealChannel, AppealKind
from registry import LoadedDirectory
from registry.territories import TerritoryTable, Unit

DAY = date(2025, 6, 2)
TOPICS = [f"t{index}" for index in range(40)]


def territories(seed: random.Random) -> list[Unit]:
    """31,748 units in five levels, codes positional as the real ones."""
    units = [
        Unit(f"UA{n:02d}{'0' * 10}{seed.randrange(10**5):05d}", "O" if n < 26 else "K", f"о{n}", None)
        for n in range(1, 28)
    ]
    for level, count, digits, parents in (
        ("P", 136, 2, "O"),
        ("H", 1_772, 3, "P"),
        ("C", 29_705, 3, "H"),
        ("B", 108, 2, "C"),
    ):
        above = [unit for unit in units if unit.level == parents]
        start = {"P": 4, "H": 6, "C": 9, "B": 12}[level]
        for index in range(count):
            parent = above[index % len(above)]
            own = f"{index // len(above) + 1:0{digits}d}"
            code = (parent.code[:start] + own).ljust(14, "0") + f"{seed.randrange(10**5):05d}"
            units.append(Unit(code, level, f"{level}{index}", parent.code))
    return units


def authorities(units: list[Unit], count: int, seed: random.Random) -> Iterator[Authority]:
    """A central body per topic, its branch in each oblast, a body with all topics in each district and community; the
    rest of them (9 of 10) decide two topics each in some settlement. One in ten has no channel.
    """
    tops = [unit for unit in units if unit.level in "OK"]
    middle = [unit for unit in units if unit.level in "PH"]
    small = [unit for unit in units if unit.level in "CB"]
    first_branch, first_middle = len(TOPICS), len(TOPICS) * (1 + len(tops))
    first_small = first_middle + len(middle)
    for index in range(count):
        superior: int | None = None
        topics: tuple[str, ...] = (TOPICS[index % len(TOPICS)],)
        place = "UA"
        if index >= first_small:
            place = small[seed.randrange(len(small))].code
            topics = (TOPICS[seed.randrange(len(TOPICS))], TOPICS[seed.randrange(len(TOPICS))])
            superior = first_middle + index % len(middle)
        elif index >= first_middle:
            place = middle[index - first_middle].code
            topics = ("*",)
        elif index >= first_branch:
            place = tops[(index - first_branch) // len(TOPICS)].code
            superior = index % len(TOPICS)
        yield _authority(index, topics, place, superior, connected=seed.random() < 0.9)


def _authority(index: int, topics: tuple[str, ...], place: str, superior: int | None, *, connected: bool) -> Authority:
    code = f"{10_000_000 + index}"
    channel = Channel(id=f"{code}.rest", adapter="rest", settings={"url": f"https://{code}.example/"})
    return Authority(
        code=code,
        name=f"Орган {index}",
        kind=AuthorityKind.CENTRAL if superior is None else AuthorityKind.TERRITORIAL,
        superior=None if superior is None else f"{10_000_000 + superior}",
        territory=place,
        competences=(Competence(topics=topics),),
        channels=(channel,) if connected else (),
    )


def requests(units: list[Unit], count: int, bodies: list[Authority], seed: random.Random) -> list[RoutingRequest]:
    """Questions in the mix that the module's docstring names."""
    settlements = [unit.code for unit in units if unit.level == "C"]
    made = []
    for index in range(count):
        body = bodies[seed.randrange(len(bodies))]
        shape = index % 8
        asked, complained = shape in (4, 5), shape == 6
        place = body.territory if asked or complained else settlements[seed.randrange(len(settlements))]
        topic = body.competences[0].topics[0] if asked or complained else TOPICS[seed.randrange(len(TOPICS))]
        made.append(
            RoutingRequest(
                topics=(topic if topic != "*" else TOPICS[0],),
                place=None if shape == 7 else place,
                addressee=body.code if asked else None,
                kind=AppealKind.COMPLAINT if complained else AppealKind.APPLICATION,
                channel=AppealChannel.PHONE,
                about=(body.code,) if complained else (),
            )
        )
    return made


def measure(bodies: int = 100_000, decisions: int = 20_000) -> dict[str, object]:
    """Mean and percentiles in µs of a decision with its steps; ``with_texts_us``: with every sentence read as well."""
    seed = random.Random(1269)
    units = territories(seed)
    directory = LoadedDirectory(
        authorities=authorities(units, bodies, seed),
        topics=[Topic(code=code, name=code, parent="t0" if code != "t0" else None) for code in TOPICS],
        stages=[
            Stage(
                stage=1,
                from_day=date(2016, 1, 1),
                channels=tuple(AppealChannel),
                addressed=tuple(AuthorityKind),
                routed=tuple(AuthorityKind),
            )
        ],
        territories=TerritoryTable(units),
    )
    asked = requests(units, decisions, list(directory.authorities()), seed)
    gc.collect()
    gc.freeze()
    times = []
    reasons: Counter[str] = Counter()
    for request in asked:
        begin = time.perf_counter_ns()
        decision = decide(request, directory, DAY)
        times.append(time.perf_counter_ns() - begin)
        reasons[str(decision.reason)] += 1
    begin = time.perf_counter_ns()
    for request in asked:
        "".join(step.text for step in decide(request, directory, DAY).steps)
    with_texts = (time.perf_counter_ns() - begin) / decisions
    times.sort()
    return {
        "value": round(sum(times) / len(times) / 1_000, 2),
        "unit": "µs",
        "detail": {
            "authorities": bodies,
            "territories": len(units),
            "decisions": decisions,
            "reasons": dict(reasons.most_common()),
            "p50_us": round(times[len(times) // 2] / 1_000, 2),
            "p99_us": round(times[len(times) * 99 // 100] / 1_000, 2),
            "with_texts_us": round(with_texts / 1_000, 2),
        },
    }


def main() -> None:
    """Print the figure as ``{"route_us": …}``; exit code 1 if it is over the limit of 50 µs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--authorities", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=20_000)
    options = parser.parse_args()
    result = measure(options.authorities, options.decisions)
    print(json.dumps({"route_us": result}, ensure_ascii=False))
    value = result["value"]
    raise SystemExit(0 if isinstance(value, float) and value <= 50 else 1)


if __name__ == "__main__":
    main()
