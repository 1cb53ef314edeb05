"""Replaces several files of a registry folder: all of them, or none.

New content is written and flushed beside the files first; then they are renamed, one after the other, which takes
milliseconds. If one cannot be, those before it get their old content back.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hub.errors import Fault, InvalidInput
from registry.file_change import FileChange, changed_meanwhile


def replace_all(folder: Path, files: Sequence[FileChange]) -> None:
    """Write all files. Raises ``Conflict`` if one is not what it was, ``InvalidInput`` if one cannot be written; then
    all are as they were.
    """
    with _alone(folder):
        for each in files:
            if (folder / each.name).read_bytes() != each.before:
                raise changed_meanwhile(each.name)
        targets = [(folder / each.name).resolve() for each in files]
        fresh = [target.with_name(f".{target.name}.{os.getpid()}.new") for target in targets]
        try:
            for new, target, each in zip(fresh, targets, files, strict=True):
                _write(new, target, each.after)
            _swap(fresh, targets, files)
        except OSError as error:
            raise _unwritable(error) from None
        finally:
            for new in fresh:
                new.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for anyone else who replaces files of this folder by these means."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(new: Path, target: Path, content: bytes) -> None:
    """The content on disk, in a file of its own, which no registry reads, with the owner, group and rights of the
    target.
    """
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        _give(stream.fileno(), target)
        shutil.copystat(target, new)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _give(handle: int, target: Path) -> None:
    """Have an open file belong to whom the target belongs. ``InvalidInput`` if this account may not."""
    now, then = os.fstat(handle), target.stat()
    if (now.st_uid, now.st_gid) == (then.st_uid, then.st_gid):
        return
    try:
        os.fchown(handle, then.st_uid, then.st_gid)
    except OSError as error:
        raise _not_given(target, then, error) from None


def _not_given(target: Path, owned: os.stat_result, error: OSError) -> InvalidInput:
    whose = f"user {owned.st_uid} and group {owned.st_gid}"
    message = f"belongs to {whose}, and what this account writes cannot: {error.strerror}"
    return InvalidInput(
        "A file would belong to somebody else; nothing was written.",
        code="registry.set.unwritable",
        faults=[Fault(pointer=target.name, code="registry.set.unwritable", message=message)],
        action="Run it as the user that the file belongs to, or as root.",
    )


def _swap(fresh: Sequence[Path], targets: Sequence[Path], files: Sequence[FileChange]) -> None:
    done = 0
    try:
        for new, target in zip(fresh, targets, strict=True):
            new.replace(target)
            done += 1
    except OSError:
        for target, each in zip(targets[:done], files, strict=False):
            target.write_bytes(each.before)
        raise
    for parent in {target.parent for target in targets}:
        handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(error: OSError) -> InvalidInput:
    name = Path(error.filename).name if isinstance(error.filename, str | os.PathLike) else "."
    fault = Fault(pointer=name, code="registry.set.unwritable", message=f"cannot be written: {error.strerror}")
    return InvalidInput(
        "The files could not be written; all are as they were.",
        code="registry.set.unwritable",
        faults=[fault],
        action="Give this account the right to write the folder and its files, or make room.",
    )
