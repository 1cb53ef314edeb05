"""``attack_ratio``: what the contact centre feels while a caller wants to take the doors from it, in one run.

The same moderate load of appeals goes in before and during each attack; the figure is the p95 of accepting during the
worst of them, as a multiple of the p95 just before it. Attackers are an authority with a valid key, and nobody at all;
they run on the same machine at the lowest priority, and what CPU they use is told.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.attacker import ATTACKS, Spec, write_spec
from benchmarks.hub_run import HubRun
from benchmarks.machine import percentile

CONNECTIONS: Mapping[str, int] = {"sev_files": 4, "slow_uploads": 24, "streams": 230}
SYSTEM = "5796f7fe-c0b0-4ed6-866e-d36ad454ec04"
PARTY = "00032106"
RATE = 40.0


def allow(home: Any) -> None:
    """Give the authority whose key the home holds a channel of SEV, so that its uploads are taken."""
    settings = {"sevovv": {"system_id": SYSTEM}}
    channel = {"id": f"{PARTY}.attack", "adapter": "pull", "dialect": "sevovv", "settings": settings}
    overlay = {"channels": [{"authority": PARTY, "channel": channel}]}
    (home.folder / "registry" / "attack.yaml").write_text(json.dumps(overlay), "utf-8")


def measure(hub: HubRun, secs: float) -> dict[str, Any]:
    """The worst ratio of p95, and each attack's."""
    detail = {name: _under(hub, name, secs) for name in ATTACKS}
    worst = max(detail, key=lambda name: detail[name]["ratio"])
    return {"value": detail[worst]["ratio"], "unit": "times", "detail": {"worst": worst, **detail}}


def _under(hub: HubRun, attack: str, secs: float) -> dict[str, Any]:
    count = int(RATE * secs)
    before = hub.submit(count, rate=RATE)
    hub.require_sound(before)
    spec = Spec(
        attack=attack,
        port=hub.ports[0],
        key=(hub.home.folder / "keys" / "authority.key").read_text("ascii").strip(),
        party=PARTY,
        system=SYSTEM,
        centre="36521731",
        connections=CONNECTIONS.get(attack, 20),
        secs=secs + 1,
    )
    path = hub.crew.folder / f"attack-{time.monotonic_ns()}.json"
    write_spec(spec, path)
    attacker = hub.crew.start("benchmarks.attacker", str(path))
    attacker.go()
    time.sleep(1)  # the attack is under way
    during = hub.submit(count, rate=RATE)
    done = attacker.wait_for_result()
    hub.crew.end(attacker)
    base, felt = percentile(before.accept_ms(), 0.95), percentile(during.accept_ms(), 0.95)
    return {
        "ratio": round(felt / base, 2) if base else 0.0,
        "p95_before_ms": round(base, 1),
        "p95_during_ms": round(felt, 1),
        "not_accepted": sum(count for status, count in during.statuses.items() if status != "202"),
        "answers": done["answers"],
        "attackers_cpu_secs": done["cpu_secs"],
    }
