"""A process that is killed while it tells: another goes on once the lease has ended, under the same id."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from hub.alarms.keeper import LEASE
from hub.cli.init import make_home
from hub.settings import Settings
from tests.acceptance.processes import until
from tests.following.test_webhooks import SECRET, Receiver, receiver  # noqa: F401  # a fixture

pytestmark = pytest.mark.slow  # all of it together

STEP = """
import sys
from datetime import timedelta
from pathlib import Path
from hub.bootstrap import build
from hub.bootstrap_upkeep import upkeep
from hub.clock import SystemClock
from hub.settings import Settings

class Later(SystemClock):
    def now(self):
        return super().now() + timedelta(seconds=float(sys.argv[2]))

hub = build(Settings(home=Path(sys.argv[1])), clock=Later())
print(upkeep(hub).keeper.step())
"""


def _home(folder: Path, url: str) -> Path:
    make_home(Settings(home=folder))
    secret = folder / "pager"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    where = {"url": url, "secrets": [f"file:{secret}"], "allow_http": True, "allow_private": ["127.0.0.0/8"]}
    only = {"code": "disk.low", "below": 10**12, "after_minutes": 0}
    document = {"receivers": [{"name": "pager", "kind": "webhook", "deadline_secs": 30, **where}], "rules": [only]}
    (folder / "alarms.yaml").write_text(json.dumps(document))
    return folder


def _stepped(home: Path, later: float) -> int:
    """Attempts of one step of a process of its own, so many seconds from now."""
    run = subprocess.run(
        [sys.executable, "-c", STEP, str(home), str(later)], check=True, capture_output=True, text=True, timeout=120
    )
    return int(run.stdout)


@pytest.mark.slow
def test_a_killed_process_leaves_its_message_to_another(
    receiver: Receiver,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed by the kernel in the middle of a call: nobody else tells while its lease holds, then one does, once."""
    home, free, answer = _home(tmp_path / "home", receiver.url), threading.Event(), receiver.handle

    def holds(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        receiver.got.append(
            ({name.lower(): value for name, value in handler.headers.items()}, handler.rfile.read(length))
        )
        free.wait(60)

    monkeypatch.setattr(receiver, "handle", holds)
    first = subprocess.Popen([sys.executable, "-c", STEP, str(home), "0"])
    until(lambda: receiver.got, what="the first attempt")
    first.kill()
    first.wait(30)
    monkeypatch.setattr(receiver, "handle", answer)
    free.set()
    assert _stepped(home, 1) == 0
    later = LEASE.total_seconds() + 5
    assert _stepped(home, later) == 1
    assert _stepped(home, 2 * later) == 0
    assert len(receiver.got) == 2
    assert len({head["webhook-id"] for head, _ in receiver.got}) == 1
    assert [json.loads(body)["data"]["counts"] for _, body in receiver.got] == [{"opened": 1}] * 2
