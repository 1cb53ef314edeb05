"""A trial of a channel's folders: each thing that placing and collecting need is done once, with files of our own.

What is refused is said by name, all of it at once; what was made is removed again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

from hub.adapters.sftp.collecting import DONE, OWN_FOLDERS, WORK, stable_before
from hub.adapters.sftp.connection import refused
from hub.adapters.sftp.settings import SftpSettings
from hub.errors import ConfigurationError, about
from hub.protocols.sftp import Sftp, StatusError


def try_rights(sftp: Sftp, settings: SftpSettings, *, in_folders: bool, below: bool) -> None:
    """Raises ``TemporaryFailure`` (``sftp.folder``) for a folder that is not shown, ``ConfigurationError``
    (``sftp.rights``) that names what the server does not let the hub do, ``sftp.no_times``. ``in_folders``: messages
    are laid down as folders; ``below``: files are laid down in folders of the inbox.
    """
    for name, folder in (("inbox", settings.inbox), ("taken", settings.taken), ("outbox", settings.outbox)):
        with about(name):
            _show(sftp, folder)
    missing = [*_placing(sftp, settings, in_folders=in_folders)]
    missing += _below(sftp, settings) if below else ()
    if settings.outbox is not None:
        missing += _collecting(sftp, settings.outbox.rstrip("/"))
    if missing:
        raise ConfigurationError(
            f"The server does not let the hub: {'; '.join(missing)}.",
            code="sftp.rights",
            action="Ask the authority to give the hub's user these rights; where names with a dot are denied, set "
            "temporary and marker; where nothing may be renamed, lay: direct.",
        )
    if settings.outbox is not None:
        stable_before(sftp, settings.outbox.rstrip("/"), settings)


def _show(sftp: Sftp, folder: str | None) -> None:
    if folder is None:
        return
    try:
        sftp.listing(folder, limit=1)
    except StatusError as error:
        raise refused(error, f"show the folder {folder}", "sftp.folder") from None


def _placing(sftp: Sftp, settings: SftpSettings, *, in_folders: bool) -> Iterator[str]:
    """Write under a temporary name, rename, remove. What is laid down at once is not tried: it would be taken."""
    inbox = settings.inbox.rstrip("/")
    name = f"{inbox}/{settings.temporary}probe-{uuid.uuid4().hex}"
    if settings.lay == "direct":
        return
    if in_folders and (no := _refusal(lambda: sftp.make_folder(name))):
        yield f"make folders in {inbox} ({no})"
        return
    file = f"{name}/a" if in_folders else name
    if no := _refusal(lambda: sftp.write(file, [b"."])):
        yield f"write in {inbox} ({no})"
    else:
        moved = f"{name}-1"
        if no := _refusal(lambda: sftp.rename(name, moved)):
            yield f"rename in {inbox} ({no})"
            moved = name
        if no := _refusal(lambda: sftp.remove(f"{moved}/a" if in_folders else moved)):
            yield f"remove files in {inbox} ({no})"
        name = moved
    if in_folders:
        _refusal(lambda: sftp.remove_folder(name))  # placing never removes folders: an empty one may stay


def _below(sftp: Sftp, settings: SftpSettings) -> Iterator[str]:
    """Make a folder in the inbox; where nothing is to be removed, it may stay, empty."""
    inbox = settings.inbox.rstrip("/")
    name = f"{inbox}/{settings.temporary}probe-{uuid.uuid4().hex}"
    if no := _refusal(lambda: sftp.make_folder(name)):
        yield f"make folders in {inbox} ({no})"
    else:
        _refusal(lambda: sftp.remove_folder(name))


def _collecting(sftp: Sftp, outbox: str) -> Iterator[str]:
    """Make the hub's own folders, take a file out of the outbox, put it away, remove it."""
    absent = [(folder, no) for folder in OWN_FOLDERS if (no := _refusal(_maker(sftp, f"{outbox}/{folder}")))]
    for folder, no in absent:
        yield f"make the folder {folder} in {outbox} ({no})"
    if absent:
        return
    name = f"hub-probe-{uuid.uuid4().hex}"
    begun, there, taken, put = (f"{outbox}/{WORK}/{name}.1", f"{outbox}/{name}", f"{outbox}/{WORK}/{name}", "")
    put = f"{outbox}/{DONE}/{name}"
    if no := _refusal(lambda: sftp.write(begun, [b"."])):
        yield f"write in {outbox}/{WORK} ({no})"
        return
    at = begun
    for target in (there, taken, put):
        if no := _refusal(_mover(sftp, at, target)):
            yield f"move files from {at.rpartition('/')[0]} to {target.rpartition('/')[0]} ({no})"
            break
        at = target
    if no := _refusal(lambda: sftp.remove(at)):
        yield f"remove files from {at.rpartition('/')[0]} ({no})"


def _maker(sftp: Sftp, path: str) -> Callable[[], None]:
    return lambda: sftp.make_folder(path)


def _mover(sftp: Sftp, old: str, new: str) -> Callable[[], None]:
    return lambda: sftp.rename(old, new)


def _refusal(ask: Callable[[], None]) -> str:
    """The server's no in its own words; empty if it said yes."""
    try:
        ask()
    except StatusError as error:
        return str(error)
    return ""
