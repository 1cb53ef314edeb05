"""The registry in force: looks at its files now and then, and replaces the directory as a whole or not at all."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from hub.errors import Fault, RegistryRefused
from hub.ports import Adapter
from registry.directory import LoadedDirectory
from registry.loader import load
from registry.source import fingerprint

_LOG = logging.getLogger("hub.registry")


class ReloadingRegistry:
    """Implements the port ``Registry``. The first load happens here and raises ``RegistryRefused`` if it fails.

    ``check_secs``: how often, at most, ``current`` looks at times and sizes of the files. A broken version is
    refused and told once; the one in force stays, and ``last_error`` says why until a good one comes.
    """

    def __init__(
        self,
        folder: Path,
        adapters: Mapping[str, Adapter],
        *,
        check_secs: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        log: logging.Logger = _LOG,
    ) -> None:
        self._folder = folder
        self._adapters = adapters
        self._interval = check_secs
        self._monotonic = monotonic
        self._log = log
        self._lock = threading.Lock()
        self._seen = self._look()
        self._directory = load(folder, adapters)
        self._error: RegistryRefused | None = None
        self._next_look = monotonic() + check_secs

    @property
    def last_error(self) -> RegistryRefused | None:
        """Why the newest files are not in force; None if they are."""
        return self._error

    def current(self) -> LoadedDirectory:
        """The directory in force; cheap. One caller in ``check_secs`` looks at the files; the others never wait."""
        if self._monotonic() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._lock.release()
        return self._directory

    def refresh(self) -> bool:
        """Look at the files now. True if another directory came into force."""
        with self._lock:
            return self._refresh()

    def _refresh(self) -> bool:
        self._next_look = self._monotonic() + self._interval
        try:
            seen = self._look()
            if seen == self._seen:
                return False
            self._seen = seen  # noted before reading: a file that changes meanwhile is read again at the next look
            fresh = load(self._folder, self._adapters)
        except RegistryRefused as refused:
            self._refuse(refused)
            return False
        self._error = None
        changed = fresh.version != self._directory.version
        if changed:
            self._log.info("registry %s is in force", fresh.version)
            self._directory = fresh
        return changed

    def _look(self) -> tuple[tuple[str, int, int, int], ...]:
        try:
            return fingerprint(self._folder)
        except OSError as error:
            self._seen = ()  # whatever is there when it can be read again is read anew
            message = f"the folder cannot be read: {error.strerror}"
            fault = Fault(pointer=".", code="registry.folder.unreadable", message=message)
            raise RegistryRefused("the registry's folder cannot be read", faults=[fault]) from None

    def _refuse(self, refused: RegistryRefused) -> None:
        if self._error is None or self._error.faults != refused.faults:
            self._log.error("registry refused, %s stays in force: %s", self._directory.version, refused)
        self._error = refused
