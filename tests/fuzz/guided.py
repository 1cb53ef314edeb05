"""One target, guided by coverage (atheris, libFuzzer), in a process of its own: it never returns."""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path

from tests.fuzz.judging import Judge

INSTRUMENTED = [
    "tests.fuzz.planted",
    "hub",
    "registry",
    "python_multipart",
    "asn1crypto",
    "yaml",
    "joserfc",
    "email",
    "imaplib",
    "smtplib",
]


def main() -> None:
    """``MODULE TARGET FOUND MOST_SECS ARGUMENT…``: the reader's module; the arguments are those of libFuzzer."""
    module, name, found, most_secs, *arguments = sys.argv[1:]
    atheris = importlib.import_module("atheris")  # it is in a group of its own, and has no types
    with atheris.instrument_imports(include=INSTRUMENTED):
        readers = importlib.import_module(module)
        errors = importlib.import_module("hub.errors")
    logging.disable(logging.CRITICAL)
    (target,) = (each for each in readers.TARGETS if each.name == name)
    judge = Judge(target, (errors.HubError,), Path(found), float(most_secs))
    atheris.Setup([sys.argv[0], *arguments], judge)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
