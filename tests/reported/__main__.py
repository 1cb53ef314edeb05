"""Plays cases and shows what changed, or records what they give: ``python -m tests.reported play|record [CASE…]``.

CASE: area and folder, or how they begin: ``mail``, ``soap/07``.
"""

from __future__ import annotations

import argparse
import difflib
import logging
import shutil
import sys
import time
from collections.abc import Sequence

from tests.reported.table import Case, cases

_DONE = {"play": "differs", "record": "recorded"}


def chosen(beginnings: Sequence[str]) -> list[Case]:
    """The cases that are meant; all without a word."""
    found = [case for case in cases() if not beginnings or case.name.startswith(tuple(beginnings))]
    if not found:
        sys.exit("no such case")
    return found


def difference(case: Case, gives: str) -> list[str]:
    """What it gives now beside what it gave; nothing if that is the same."""
    gave = case.gave.read_text("utf-8") if case.gave.exists() else ""
    names = (f"{case.name}, {case.kept}", "now")
    return list(difflib.unified_diff(gave.splitlines(), gives.splitlines(), *names, lineterm=""))


def main() -> int:
    """Exit code 1 if something differs, or could not be recorded."""
    parser = argparse.ArgumentParser(prog="python -m tests.reported", description=__doc__)
    parser.add_argument("what", choices=("play", "record"))
    parser.add_argument("case", nargs="*")
    words = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())  # what a player does not tell is nobody's to read here
    changed = 0
    for case in chosen(words.case):
        if missing := [each for each in case.programs if shutil.which(each) is None]:
            print(f"{case.name}: LEFT OUT, not installed: {', '.join(missing)}")
            changed += words.what == "record"
            continue
        began = time.monotonic()
        gives = case.play()
        differs = difference(case, gives)
        if words.what == "record":
            case.gave.write_text(gives, "utf-8")
        changed += bool(differs) and words.what == "play"
        print(f"{case.name}: {_DONE[words.what] if differs else 'as it was'} ({time.monotonic() - began:.1f} s)")
        print("".join(f"  {line}\n" for line in differs), end="")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
