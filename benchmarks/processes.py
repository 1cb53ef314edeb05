"""Processes of a run: started, known to be ready, asked over HTTP, stopped. Every one of them ends with the run."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

START_SECS = 60.0
STOP_SECS = 30.0


class BenchmarkError(Exception):
    """A run cannot go on; the message says why."""


class Process:
    """One Python process of ours. ``words``: what follows ``python -m``."""

    def __init__(self, words: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        self._log = log
        self.name = " ".join(words[:3])
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", *words],
                env=environ | dict(env or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        self.pid = self._process.pid
        self.first = ""

    def wait_until(self, word: str) -> None:
        """Wait for the line that holds this word; ``BenchmarkError`` if it does not come."""
        watchdog = threading.Timer(START_SECS, self._process.kill)
        watchdog.start()
        try:
            for line in self._out:
                if word in line.lower():
                    self.first = line.strip()
                    return
        finally:
            watchdog.cancel()
        self.stop()
        raise BenchmarkError(f"{self.name} did not start:\n{self._log.read_text('utf-8', 'replace')[-2000:]}")

    @property
    def _out(self) -> Any:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def port(self) -> int:
        """The port that its first line names."""
        return int(self.first.rpartition(":")[2])

    def go(self) -> None:
        """Say the word that it waits for."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def wait_for_result(self) -> Any:
        """Its last line, as JSON, when it ends."""
        lines = self._out.read().strip().splitlines()
        if self._process.wait(STOP_SECS) or not lines:
            raise BenchmarkError(f"{self.name} failed:\n{self._log.read_text('utf-8', 'replace')[-2000:]}")
        return json.loads(lines[-1])

    def pause(self) -> None:
        """Let it use no CPU while something else is measured."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def ask_to_stop(self) -> None:
        """Ask it to end."""
        with suppress(ProcessLookupError):
            self.resume()
            self._process.terminate()

    def stop(self) -> None:
        """Ask it to end; insist after half a minute."""
        self.ask_to_stop()
        try:
            self._process.wait(STOP_SECS)
        except subprocess.TimeoutExpired:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


@dataclass(slots=True)
class Crew:
    """All processes of a run and a folder for their files; both are gone at the end of the ``with`` block."""

    keep_logs: Path | None = None
    _running: list[Process] = field(default_factory=list)
    _folder: tempfile.TemporaryDirectory[str] = field(default_factory=lambda: tempfile.TemporaryDirectory("hub-bench"))

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(*reversed(self._running))
        self._folder.cleanup()

    @property
    def _logs(self) -> Path:
        folder = self.keep_logs or self.folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def folder(self) -> Path:
        """For files of this run."""
        return Path(self._folder.name)

    def start(self, *words: str, env: Mapping[str, str] | None = None, ready: str = "ready") -> Process:
        """Start a process and wait until it says that it is ready."""
        process = self.begin(*words, env=env)
        process.wait_until(ready)
        return process

    def begin(self, *words: str, env: Mapping[str, str] | None = None) -> Process:
        """Start a process; it is not waited for."""
        name = f"{len(list(self._logs.iterdir()))}-{words[0].rpartition('.')[2]}"
        process = Process(words, log=self._logs / f"{name}.log", env=env)
        self._running.append(process)
        return process

    def end(self, *processes: Process) -> None:
        """Stop some of them now."""
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.stop()
            self._running.remove(process)


class Receiver:
    """The receiving process, and questions to it."""

    def __init__(self, crew: Crew) -> None:
        self.process = crew.start("benchmarks.receiver", "0")
        self.url = f"http://127.0.0.1:{self.process.port}"

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.process.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def counts(self) -> dict[str, int]:
        """Received, repeats, altered, held."""
        counts: dict[str, int] = self._ask("GET", "/_state")
        return counts

    def arrivals(self) -> dict[str, tuple[float, str]]:
        """When each message came first, and to whom."""
        return {key: (at, code) for key, (at, code) in self._ask("GET", "/_arrivals").items()}

    def hang(self, codes: Sequence[str]) -> None:
        """Let exactly these authorities hang."""
        self._ask("POST", "/_hang", list(codes))

    def register(self, registers: bool) -> None:
        """Have what is taken answered with a receipt, or with an acknowledgement."""
        self._ask("POST", "/_register", registers)

    def forget(self) -> None:
        """Count anew."""
        self._ask("POST", "/_forget", [])
