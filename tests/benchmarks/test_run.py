"""One tiny run of the production figures on real servers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from benchmarks import isolation, places
from benchmarks.__main__ import Bench, Sizes
from benchmarks.goals import GOALS
from benchmarks.hub_run import SetUp
from benchmarks.processes import Crew
from tests.conftest import leave_out
from tests.forms import NIGHTLY

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.timeout(1_200),
    pytest.mark.slow,
    pytest.mark.nightly,
]
TINY = Sizes(
    authorities=20,
    rounds=1,
    floor=100,
    plain=20,
    hub=60,
    warm_up=20,
    latency_secs=1,
    isolation_secs=1,
    growth=30,
    stored=300,
    waiting=40,
    attachment_mb=2,
    cases=2_000,
    overdue=5,
    pages=1,
    journal_rounds=1,
    journalled=4,
    rerouted=30,
)


def _vhosts() -> str:
    program = shutil.which("rabbitmqctl") or ""
    return subprocess.run([program, "-q", "list_vhosts"], capture_output=True, text=True, check=False).stdout


@pytest.fixture
def _servers() -> Iterator[None]:
    try:
        psycopg.connect(places.DATABASE_SERVER, connect_timeout=3).close()
    except psycopg.OperationalError:
        leave_out("PostgreSQL is not reachable (HUB_BENCH_DATABASE_URL)")
    if "/" not in _vhosts():
        leave_out("RabbitMQ cannot be administered here (rabbitmqctl)")
    yield
    assert f"hub-bench-{os.getpid()}-" not in _vhosts()  # nothing is left behind


@pytest.mark.usefixtures("_servers")
def test_a_tiny_run_measures_all_production_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every production figure is measured and the accounting of every load is right, at a size that proves no speed."""
    monkeypatch.setattr(isolation, "RECOVER_SECS", 1.0)
    others = {"route_us", "embedded_start_s", "embedded_rss_mb", "isolation_10"}
    if not NIGHTLY:
        others |= {"journal_cost"}  # it starts two hubs more
    wanted = [key for key in GOALS if key not in others]
    with Crew() as crew:
        bench = Bench(crew, TINY, wanted, SetUp())
        bench.run()
    assert set(bench.results) == set(wanted)
    sums = bench.results["ratio_to_floor"]["detail"]["accounting"]
    assert (sums["accepted"], sums["delivered"], sums["lost"], sums["unexpected"], sums["duplicates"]) == (
        60,
        60,
        0,
        0,
        0,
    )
    assert bench.results["overdue_sweep_s"]["detail"]["facts_overdue"] == TINY.overdue
    assert bench.results["isolation_30"]["detail"]["healthy_not_delivered"] == 0
