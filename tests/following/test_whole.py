"""The whole of it in a running hub: what happens is told by webhook and counted, while appeals go their way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from hub.bootstrap import build
from hub.cli.init import make_home
from hub.following.follower import NAME
from hub.net.webhook_signing import verify
from hub.schemas.delivery import TransportState
from hub.settings import Settings, load
from hub.storage import SqlStore
from tests.acceptance.processes import Running, hub, until
from tests.api.world import form
from tests.following.test_webhooks import SECRET, Receiver, _write, receiver
from tests.storage.making import CHANNEL, NOW, accepted, claim_one, joined

__all__ = ["receiver"]
LVIV = "UA46060250000025047"


@pytest.mark.slow
def test_a_running_hub_tells_and_counts(tmp_path: Path, receiver: Receiver) -> None:
    """`hub up` calls the endpoint of webhooks.yaml, links a repeated appeal, and `hub report` counts both."""
    home = tmp_path / "home"
    make_home(Settings(home=home))
    _write(tmp_path, receiver)
    (tmp_path / "webhooks.yaml").rename(home / "webhooks.yaml")
    running = Running(("up",), tmp_path / "log", HUB_HOME=str(home), HUB_LISTEN="127.0.0.1:0")
    try:
        url = running.url
        key = (home / "keys" / "ncc.key").read_text("ascii").strip()
        # The endpoint begins with what comes after it was first seen.
        operator = {"Authorization": f"Bearer {(home / 'keys' / 'operator.key').read_text('ascii').strip()}"}

        def ready() -> bool:
            found = requests.get(f"{url}/v1/ops/webhooks", headers=operator, timeout=10).json()["webhooks"]
            return bool(found)

        until(ready, what="the endpoint is known")
        cases = []
        for _ in range(2):
            answer = requests.post(
                f"{url}/v1/appeals",
                headers={"Authorization": f"Bearer {key}"},
                json=form(
                    place=LVIV,
                    topics=["transport.roads"],
                    text="На вулиці навпроти школи глибока яма, діти бояться переходити дорогу.",
                ),
                timeout=10,
            )
            cases.append(answer.json()["case_id"])

        def told() -> bool:
            return any(
                '"type":"case.linked"' in body.decode() and cases[1] in body.decode() for _, body in receiver.got
            )

        until(told, what="the webhook about the repeated appeal")
        assert len({verify([SECRET], got, body, datetime.now(UTC)) for got, body in receiver.got}) == len(receiver.got)

        def counted() -> bool:
            path = f"{url}/v1/reports/volumes?by=territory"
            lines = requests.get(path, headers=operator, timeout=10).json()["lines"]
            return [(line["key"], line["values"]["again"]) for line in lines] == [("UA46", 1)]

        until(counted, what="the report")
        shown = json.loads(hub("report", "volumes", "--by", "territory", "--json", home=home).stdout)
        assert [(row["key"], row["cases"], row["again"]) for row in shown] == [("UA46", 2, 1)]
        assert "Nothing rose" in hub("report", "surges", home=home).stdout
        assert (home / "keys" / "applicants.key").stat().st_mode & 0o077 == 0
    finally:
        running.stop()


def test_an_urgent_appeal_overtakes_a_campaign(sql_store: SqlStore) -> None:
    """Behind three hundred appeals of a campaign in one lane, a threat to life goes out first, then the urgent one."""
    sql_store.apply(joined(*(accepted() for _ in range(300))))
    urgent, life = accepted(priority=1), accepted(priority=2)
    sql_store.apply(joined(urgent, life))
    first = claim_one(sql_store, CHANNEL, owner="w", now=NOW, lease_until=NOW + timedelta(minutes=1), limit=3)
    assert [claim.delivery.priority for claim in first] == [2, 1, 0]
    assert [claim.delivery.id for claim in first[:2]] == [life.deliveries[0].id, urgent.deliveries[0].id]
    assert {claim.delivery.state for claim in first} == {TransportState.SENDING}


@pytest.mark.slow
def test_an_existing_home_gets_its_key_once(tmp_path: Path) -> None:
    """A home of an older hub has no key for applicants: it is made at the first start and stays; nothing is behind."""
    home = tmp_path / "home"
    make_home(Settings(home=home))
    (home / "keys" / "applicants.key").unlink(missing_ok=True)
    keys = []
    for _ in range(2):
        built = build(load(home=str(home)))
        assert built.following.pruning.behind(NAME) is None
        built.close()
        keys.append((home / "keys" / "applicants.key").read_text())
    assert keys[0] == keys[1]
    assert len(keys[0].strip()) >= 32
