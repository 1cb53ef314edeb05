"""Names of modules and files in docstrings and documents: none of them leads nowhere after something moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCES = sorted(path for room in ("hub", "registry", "tests") for path in (ROOT / room).rglob("*.py"))
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_DOTTED = r"hub(?:\.[A-Za-z_][A-Za-z0-9_]*)+"
_MODULE = re.compile(rf"``({_DOTTED})(?:\([^`]*\))?``|`({_DOTTED})`")
_FILE = re.compile(r"`((?:hub|registry|tests|benchmarks|config|deploy)/[\w./-]*)`")
NO_MODULES = frozenset({"hub.wsdl", "hub.adapters"})
"""A file's name, and an entry point group's."""


def _named(text: str) -> Iterator[str]:
    for match in _MODULE.finditer(text):
        yield match[1] or match[2]


def _is_there(dotted: str) -> bool:
    """True for a module, or for a name in one."""
    module, _, name = dotted.rpartition(".")
    if "." not in dotted:
        return find_spec(dotted) is not None
    try:
        if find_spec(dotted) is not None:
            return True
    except ModuleNotFoundError:
        pass
    try:
        return hasattr(import_module(module), name)
    except ModuleNotFoundError:
        return _is_there(module) and hasattr(_value(module), name)


def _value(dotted: str) -> object:
    module, _, name = dotted.rpartition(".")
    value: object = getattr(import_module(module), name)
    return value


@pytest.mark.parametrize("room", ["hub", "registry", "tests"])
def test_modules_named_in_docstrings_exist(room: str) -> None:
    """What a docstring sends the reader to is there."""
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        if path.is_relative_to(ROOT / room)
        for name in _named(path.read_text("utf-8"))
        if name not in NO_MODULES and not _is_there(name)
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_modules_named_on_a_page_exist(page: Path) -> None:
    """A page names only files and modules that are there."""
    text = page.read_text("utf-8")
    # A decision may name a file that is to be made.
    files = [] if "decisions" in page.parts else [name for name in _FILE.findall(text) if not (ROOT / name).exists()]
    modules = [name for name in _named(text) if name not in NO_MODULES and not _is_there(name)]
    assert (files, modules) == ([], [])
