"""The registry in force is replaced as a whole or stays."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from hub.errors import RegistryRefused
from registry import ReloadingRegistry
from tests.registry.builders import ADAPTERS, SOUND, write


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def touch(folder: Path, text: str, stamp: int) -> None:
    """Replace the file, with a time of change that differs for sure."""
    write(folder, a=text)
    os.utime(folder / "a.yaml", ns=(stamp, stamp))


def test_change_comes_into_force_after_the_interval(tmp_path: Path) -> None:
    """``current`` looks at the files at most once per interval and then serves the new version."""
    touch(tmp_path, SOUND, 1)
    clock = Clock()
    registry = ReloadingRegistry(tmp_path, ADAPTERS, check_secs=5, monotonic=clock)
    first = registry.current()
    touch(tmp_path, SOUND.replace("Тепло", "Опалення"), 2)
    clock.now = 4.9
    assert registry.current() is first
    clock.now = 5
    second = registry.current()
    assert second.version != first.version
    assert first.topic("utilities.heating") != second.topic("utilities.heating")


def test_broken_version_is_refused_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The old version stays, the error is logged once and shown until a good version comes."""
    touch(tmp_path, SOUND, 1)
    registry = ReloadingRegistry(tmp_path, ADAPTERS)
    first = registry.current()
    touch(tmp_path, SOUND.replace("kind: cabinet", "kind: cupboard"), 2)
    with caplog.at_level(logging.INFO, logger="hub.registry"):
        assert registry.refresh() is False
        assert registry.refresh() is False
        os.utime(tmp_path / "a.yaml", ns=(3, 3))
        assert registry.refresh() is False
    assert registry.current() is first
    assert [fault.code for fault in registry.last_error.faults if registry.last_error] == ["registry.enum"]  # type: ignore[union-attr]
    assert len(caplog.records) == 1
    touch(tmp_path, SOUND.replace("Тепло", "Опалення"), 4)
    assert registry.refresh() is True
    assert registry.last_error is None


def test_same_content_touched_again_is_not_a_new_version(tmp_path: Path) -> None:
    """A file that was written again with the same content changes nothing: the directory object stays."""
    touch(tmp_path, SOUND, 1)
    registry = ReloadingRegistry(tmp_path, ADAPTERS)
    first = registry.current()
    touch(tmp_path, SOUND + "# reviewed\n", 2)
    assert registry.refresh() is False
    assert registry.current() is first


def test_folder_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    """While the folder cannot be read the old version stays; when it is back, the error is gone."""
    folder = tmp_path / "registry"
    touch(folder, SOUND, 1)
    registry = ReloadingRegistry(folder, ADAPTERS)
    folder.rename(tmp_path / "away")
    assert registry.refresh() is False
    assert registry.last_error is not None
    (tmp_path / "away").rename(folder)
    assert registry.refresh() is False
    assert registry.last_error is None


def test_new_files_and_tables_are_seen(tmp_path: Path) -> None:
    """A file that is added, or a table of territories that appears, is a change."""
    touch(tmp_path, SOUND, 1)
    registry = ReloadingRegistry(tmp_path, ADAPTERS)
    write(tmp_path, more__b="topics: [{code: housing, name: Житло}]")
    assert registry.refresh() is True
    assert registry.current().topic("housing") is not None
    (tmp_path / "territories.csv").write_text("code;level;name;parent\n", encoding="utf-8")
    assert registry.refresh() is False
    assert registry.last_error is not None


def test_first_load_must_succeed(tmp_path: Path) -> None:
    """A hub does not start on a broken registry, nor on none."""
    with pytest.raises(RegistryRefused):
        ReloadingRegistry(tmp_path, ADAPTERS)
    with pytest.raises(RegistryRefused):
        ReloadingRegistry(tmp_path / "absent", ADAPTERS)


@pytest.mark.slow
def test_readers_never_wait_and_never_see_a_mixture(tmp_path: Path) -> None:
    """Three threads read while the files change fifteen times: each sees whole versions only, and no error."""
    touch(tmp_path, SOUND, 1)
    registry = ReloadingRegistry(tmp_path, ADAPTERS, check_secs=0.02)
    stop = threading.Event()
    wrong: list[str] = []

    def read() -> None:
        while not stop.wait(0.001):
            directory = registry.current()
            heating, city = directory.topic("utilities.heating"), directory.authority("04055896")
            if heating is None or city is None or heating.name != (city.note or "Тепло"):
                wrong.append(directory.version)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(15):
        text = SOUND.replace("Тепло", f"Т{number}").replace(
            "kind: local_self", f"note: Т{number}\n    kind: local_self"
        )
        write(tmp_path, b=text)
        os.utime(tmp_path / "b.yaml", ns=(number + 2, number + 2))
        (tmp_path / "b.yaml").replace(tmp_path / "a.yaml")
        registry.refresh()
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert registry.current().topic("utilities.heating") is not None
