"""Failpoints strike once each, whatever threads do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import threading
from hub.failpoints import hit
go = threading.Barrier(8)
def pass_by(point):
    go.wait()
    hit(point)
threads = [threading.Thread(target=pass_by, args=(f"S{number}",)) for number in range(1, 9)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.slow
def test_freezes_of_several_threads_are_several() -> None:
    """Eight threads that come to eight points at one moment freeze the process eight times, not once for some."""
    points = ",".join(f"S{number}:stop" for number in range(1, 9))
    for _ in range(40):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT], env={**os.environ, "HUB_FAILPOINT": points})
        stops = 0
        while True:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            stops += 1
            process.send_signal(signal.SIGCONT)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert (stops, process.returncode) == (8, 0)
