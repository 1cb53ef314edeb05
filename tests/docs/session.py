"""Runs the ``console`` blocks of a document as one shell session and compares what they print.

In a block, a line that begins with ``$ `` is a command (``> `` continues it), the lines after it are what it prints;
``…`` stands for anything. A block ```` ```yaml file=PATH ```` is written to PATH before the next command runs.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^```(\w+)?[ ]?(.*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MARK = "\x1eNEXT"


@dataclass
class Step:
    """A command and what it should print."""

    command: str
    expected: list[str] = field(default_factory=list)


def steps(text: str) -> list[Step]:
    """The session that a document describes."""
    found: list[Step] = []
    for language, title, body in FENCE.findall(text):
        if title.startswith("file="):
            path = title.removeprefix("file=").strip()
            found.append(Step(f"mkdir -p $(dirname {path}) && cat > {path} <<'END_OF_FILE'\n{body}END_OF_FILE"))
        elif language == "console":
            for line in body.splitlines():
                if line.startswith("$ "):
                    found.append(Step(line[2:]))
                elif line.startswith("> ") and not found[-1].expected:
                    found[-1].command += "\n" + line[2:]
                else:
                    found[-1].expected.append(line)
    return found


def shows(printed: str, expected: list[str]) -> bool:
    """True if these lines stand in what was printed."""
    return re.search(_pattern(expected), printed, re.DOTALL) is not None


def _pattern(expected: list[str]) -> str:
    return r"\s*".join(".*?".join(map(re.escape, line.split("…"))) for line in expected if line.strip())


def run(document: Path, folder: Path, replace: dict[str, str], timeout: float = 240) -> None:
    """Run all blocks of a document in ``folder``; fails with the first step that did not do what the document says."""
    text = document.read_text("utf-8")
    for old, new in replace.items():
        text = text.replace(old, new)
    session = steps(text)
    assert session, f"{document.name} has no console blocks"
    script = "set -e\n" + "".join(f"{step.command}\nprintf '%s\\n' '{MARK}'\n" for step in session)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output = _read_until(process, len(session), timeout)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()
    printed = output.split(MARK)
    for index, step in enumerate(session):
        if index >= len(printed) - 1:
            tail = printed[-1][-2000:]
            raise AssertionError(f"{document.name}: this command failed:\n{step.command}\n{tail}")
        if step.expected and not shows(printed[index], step.expected):
            raise AssertionError(
                f"{document.name}: {step.command}\nshould print:\n"
                + "\n".join(step.expected)
                + f"\nbut printed:\n{printed[index]}"
            )


def _read_until(process: subprocess.Popen[str], marks: int, timeout: float) -> str:
    """Read until the session has ended or all steps are done: what runs in the background keeps the pipe open."""
    assert process.stdout is not None
    import threading

    killer = threading.Timer(timeout, lambda: os.killpg(process.pid, signal.SIGKILL))
    killer.start()
    seen, output = 0, []
    try:
        for line in process.stdout:
            output.append(line)
            seen += MARK in line
            if seen == marks:
                break
    finally:
        killer.cancel()
    return "".join(output)
