"""Known inputs of one target, swollen: a piece of one is repeated until it is long. Finds what takes time by length.

Coverage does not see that a loop became quadratic; length does. Runs in a process of its own, without atheris.
"""

from __future__ import annotations

import importlib
import logging
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hub.errors import HubError
from tests.fuzz.judging import Judge

RUNNING = "hang"
"""Name of the input that is being read: it stays if the process has to be ended."""
PARTS = (1, 4, 25)
"""Of the target's longest input: what takes a time that grows faster than the length shows at the whole."""


def swollen(known: list[bytes], chance: random.Random, longest: int) -> Iterator[bytes]:
    """Inputs without an end: one of ``known`` with a piece of it, or of another, many times in its place."""
    while True:
        data, other = chance.choice(known), chance.choice(known)
        source = data if chance.random() < 0.7 else other
        if not source:
            continue
        begin = chance.randrange(len(source))
        length = min(chance.choice((1, 2, 3, 5, 8, 20, 60, 200)), len(source) - begin)
        piece = source[begin : begin + length]
        if chance.random() < 0.3:
            at = chance.randrange(len(piece))
            piece = piece[:at] + bytes([chance.choice(b" \t\r\n<>\"'=&;:/-_.(){}[]\\\x00%?")]) + piece[at:]
        place = chance.randrange(len(data) + 1)
        room = max(longest // chance.choice(PARTS) - len(data), len(piece))
        yield data[:place] + piece * (room // len(piece)) + data[place:]


def main() -> None:
    """``MODULE TARGET FOUND MOST_SECS SECONDS SEED FOLDER…``: the reader's module; folders of known inputs."""
    module, name, found, most_secs, secs, seed, *folders = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    files = sorted(file for folder in folders for file in Path(folder).iterdir() if file.is_file())
    known = [data for file in files if (data := file.read_bytes())]
    (target,) = (each for each in importlib.import_module(module).TARGETS if each.name == name)
    judged = Judge(target, (HubError,), Path(found), float(most_secs))
    until = time.monotonic() + float(secs)
    running = Path(found) / RUNNING
    for data in swollen(known, random.Random(seed), target.longest):
        if time.monotonic() >= until:
            break
        running.write_bytes(data)
        judged(data)
    running.unlink(missing_ok=True)
    print(f"SWOLLEN {judged.runs} {judged.slowest:.3f}", flush=True)


if __name__ == "__main__":
    main()
