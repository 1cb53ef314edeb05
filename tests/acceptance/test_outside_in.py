"""Accounting from outside: the receiver is nginx, which wrote none of our code, and its log says what arrived."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from hub.cli.init import make_home
from hub.settings import Settings
from tests.acceptance.outside import BODIES, Centre, channel, check_account, door, overlay
from tests.acceptance.processes import Running, running, until
from tests.forms import NIGHTLY

APPEALS: Final = 600 if NIGHTLY else 120
FROZEN_SECS: Final = 60.0 if NIGHTLY else 2.0


def _struck(hub: Running, centre: Centre, goal: int) -> None:
    """Freeze the hub at a third of the way, let it go on, and kill it."""
    until(partial(_reached, centre, goal - APPEALS // 6), what="some accepted")
    os.killpg(hub.process.pid, signal.SIGSTOP)
    threading.Event().wait(FROZEN_SECS)  # that is the fault: nothing moves for so long
    os.killpg(hub.process.pid, signal.SIGCONT)
    until(partial(_reached, centre, goal), what="more accepted")
    hub.kill()


def _reached(centre: Centre, goal: int) -> bool:
    return len(centre.accepted) >= goal


@pytest.mark.slow
@pytest.mark.timeout(900 if NIGHTLY else 300)
@pytest.mark.foreign("nginx")
def test_what_was_accepted_is_what_another_program_saw(tmp_path: Path) -> None:
    """Frozen and killed twice while appeals come in and go out: nginx saw exactly the messages that were accepted, each
    at its body's address, under its own id as key, and every repeat of one with as many bytes as before.
    """
    home = tmp_path / "home"
    made = make_home(Settings(home=home))
    centre = Centre(made.keys["ncc"].read_text("ascii").strip(), FROZEN_SECS + 20)
    everything = range(APPEALS)
    with door(tmp_path) as nginx:
        overlay(home, [channel(code, nginx.port) for code in BODIES])
        env = {"HUB_HOME": str(home), "HUB_LISTEN": "127.0.0.1:0"}
        for goal in (APPEALS // 3, 2 * APPEALS // 3):
            with running("up", log=tmp_path / "hub.log", **env) as hub:
                centre.url = hub.url
                sending = threading.Thread(target=centre.submit_all, args=(everything,))
                sending.start()
                _struck(hub, centre, goal)
                sending.join()
        with running("up", log=tmp_path / "hub.log", **env) as hub:
            centre.url = hub.url
            centre.submit_all(everything)
            assert len(centre.accepted) == APPEALS
            until(lambda: set(centre.accepted.values()) <= set(nginx.seen()), what="every message in nginx's log")
            hub.stop()
        check_account(centre, nginx.seen())
