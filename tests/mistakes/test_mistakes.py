"""Each mistake that the page names is made for real, and shows what the page says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from hub import adapters
from hub.errors import RegistryRefused
from registry import load
from tests.adapters.sftp.sshd import program
from tests.conftest import leave_out
from tests.mistakes.page import PAGE, of_group, table
from tests.mistakes.rows import GROUPS
from tests.mistakes.world import BODIES, World

SILENT_LOSS: Final = [
    ("silent-loss.yaml:13", "registry.mapping_path"),
    ("silent-loss.yaml:15", "registry.mapping_rule"),
    ("silent-loss.yaml:16", "registry.mapping_word"),
    ("silent-loss.yaml:17", "registry.mapping_path"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One home and one server of each kind for all mistakes."""
    with ExitStack() as stack:
        yield World(tmp_path_factory.mktemp("mistakes"), stack)


@pytest.mark.slow
@pytest.mark.parametrize("title", [title for title in GROUPS if title != "SFTP"])
def test_what_is_shown_stands_on_the_page(world: World, title: str) -> None:
    """Code, cause, place and next step of each mistake of a group; the line that is named is that of the mistake."""
    made = table([(each, world.made(each)) for each in GROUPS[title]])
    assert made == of_group(PAGE.read_text("utf-8"), title), "python -m tests.mistakes writes the page anew"


@pytest.mark.slow
def test_what_a_real_sftp_server_shows(tmp_path: Path) -> None:
    """The same over OpenSSH."""
    if program() is None:
        leave_out("the program sshd is not installed")
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        world.start_sshd(stack)
        made = table([(each, world.made(each)) for each in GROUPS["SFTP"]])
    assert made == of_group(PAGE.read_text("utf-8"), "SFTP")


def test_a_mapping_that_loses_in_silence_is_refused(tmp_path: Path) -> None:
    """Four slips that once sent less than the appeal says, without a word: each is named by its line."""
    (tmp_path / "bodies.yaml").write_text(BODIES, "utf-8")
    shutil.copy(Path(__file__).with_name("silent-loss.yaml"), tmp_path)
    with pytest.raises(RegistryRefused) as refused:
        load(tmp_path, adapters.table())
    told = [(fault.pointer.split("#")[0], fault.code) for fault in refused.value.faults]
    assert told == SILENT_LOSS
