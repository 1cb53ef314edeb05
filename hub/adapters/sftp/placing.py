"""Laying a message down: a temporary name, resumed where a break left it, checked, then one rename.

Until the rename is asked for, nothing is in place and every failure is temporary. From then on until its answer has
come the outcome is unknown; the next attempt looks at what is there under the message's own name before it sends.

``lay: direct``, for servers that take a file the moment it is written: under its own name at once, and the server's
yes is the proof; nothing is looked at afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from hub.adapters.sftp.connection import SftpConnection, refused
from hub.adapters.sftp.layout import Layout, Piece
from hub.adapters.sftp.settings import SftpSettings
from hub.errors import ConfigurationError, OutcomeUnknown, PermanentFailure, TemporaryFailure
from hub.protocols.sftp import UNSUPPORTED, NotOpenedError, StatusError, UnsureError
from hub.schemas.delivery import OutcomeKind

ANSWERS_SHARE: Final = 64
"""For each piece of 32 KiB the server says yes in less than 512 bytes."""


def place(connection: SftpConnection, settings: SftpSettings, layout: Layout) -> OutcomeKind:
    """Lay one message down. ``DUPLICATE`` if an earlier attempt did. Raises ``DeliveryError``."""
    final = f"{settings.inbox.rstrip('/')}/{layout.name}"
    placing = Placing(connection, settings)
    with connection.talking():
        try:
            if settings.taken and connection.sftp.look(f"{settings.taken.rstrip('/')}/{layout.name}"):
                return OutcomeKind.DUPLICATE
            if connection.sftp.look(final) is not None:
                return placing.found(layout, final)
            if settings.lay == "direct":
                return placing.lay(layout, final)
            temporary = f"{settings.inbox.rstrip('/')}/{settings.temporary}{layout.name}"
            placing.upload(layout, temporary)
        except StatusError as error:
            raise refused(error, "take the message's files") from None
    placing.reveal(layout, temporary, final)
    return OutcomeKind.DELIVERED


class Placing:
    """Uploading and checking over one connection."""

    def __init__(self, connection: SftpConnection, settings: SftpSettings) -> None:
        self._connection = connection
        self._sftp = connection.sftp
        self._by_hash = settings.verify == "hash"
        self._marker = settings.marker

    def lay(self, layout: Layout, final: str) -> OutcomeKind:
        """Write all pieces in place, the marker last. Once one is written a failure leaves the outcome unknown."""
        self._make_folders(layout, final)
        for piece in layout.pieces:
            with in_doubt(self._connection):
                self.write(piece, _join(final, piece), 0)
        if layout.is_folder:
            with in_doubt(self._connection):
                self._sftp.mark(f"{final}/{self._marker}")
        return OutcomeKind.DELIVERED

    def found(self, layout: Layout, final: str) -> OutcomeKind:
        """Something has the message's name: what an earlier attempt laid down, or something foreign."""
        if layout.is_folder and self._sftp.look(f"{final}/{self._marker}") is not None:
            return OutcomeKind.DUPLICATE
        if not all(self.holds(piece, _join(final, piece)) for piece in layout.pieces):
            raise foreign()
        if layout.is_folder:
            with in_doubt(self._connection):
                self._sftp.mark(f"{final}/{self._marker}")
        return OutcomeKind.DUPLICATE

    def upload(self, layout: Layout, temporary: str) -> None:
        """Lay all pieces under the temporary name, each checked before the next."""
        self._make_folders(layout, temporary)
        for piece in layout.pieces:
            self.upload_piece(piece, _join(temporary, piece))

    def _make_folders(self, layout: Layout, root: str) -> None:
        if layout.is_folder:
            self._sftp.make_folder(root)
            if any(piece.path.startswith("attachments/") for piece in layout.pieces):
                self._sftp.make_folder(f"{root}/attachments")

    def upload_piece(self, piece: Piece, path: str) -> None:
        """Upload one piece, from where an earlier attempt broke off, and check it."""
        there = self._sftp.look(path)
        size = there.size if there is not None and there.is_file else None
        begun = size if size is not None and size <= piece.size else 0
        written = there is None or begun < piece.size or begun == 0
        if written:
            self.write(piece, path, begun)
        if not self.holds(piece, path):
            if written and self._sftp.look(path) is None:
                raise _taken_at_once()
            self._discard(path)
            raise TemporaryFailure(
                "What was uploaded is not on the server as it was sent; it was removed.", code="sftp.damaged"
            )

    def write(self, piece: Piece, path: str, begun: int) -> None:
        """Write a piece from an offset on."""
        self._writing(piece, path, lambda: self._sftp.write(path, _from(piece, begun), offset=begun))

    def write_new(self, piece: Piece, path: str) -> None:
        """Write a piece where nothing is: another's file that came there meanwhile stays as it is."""
        self._writing(piece, path, lambda: self._sftp.write_new(path, piece.chunks()))

    def _writing(self, piece: Piece, path: str, write: Callable[[], None]) -> None:
        self._connection.wire.allow(piece.size // ANSWERS_SHARE)
        try:
            write()
        except NotOpenedError as error:
            raise refused(error, "make a file", "sftp.write_refused") from None
        except UnsureError as error:
            if not self._by_hash:  # else what is read back decides
                raise refused(error, "write a file to its end", "sftp.write_refused") from None
        except StatusError as error:
            self._discard(path)  # a full disk is not kept full by us
            raise refused(error, "write a file", "sftp.write_refused") from None

    def holds(self, piece: Piece, path: str, *, exactly: bool = False) -> bool:
        """True if a path has exactly this content (or, if so set, this size). A size that is not said is read.
        ``exactly``: however it is set, because something else may bear the name.
        """
        there = self._sftp.look(path)
        if there is None or not there.is_file or there.size not in (None, piece.size):
            return False
        if not (self._by_hash or exactly) and there.size is not None:
            return True
        self._connection.wire.allow(piece.size)
        digest = hashlib.sha256()
        for chunk in self._sftp.read(path, limit=piece.size):
            digest.update(chunk)
        return digest.hexdigest() == piece.sha256

    def _discard(self, path: str) -> None:
        with contextlib.suppress(StatusError):
            self._sftp.remove(path)

    def reveal(self, layout: Layout, temporary: str, final: str) -> None:
        """Give the message its name, and a folder its marker. The authority may take it the moment it is there, so
        nothing is looked at afterwards: the server's word for both is the proof.
        """
        with in_doubt(self._connection):
            try:
                self._sftp.rename(temporary, final)
            except StatusError as error:
                if layout.is_folder and error.status == UNSUPPORTED:
                    raise _no_folders_renamed(error) from None
                raise refused(error, "rename the message", "sftp.rename_refused") from None
            if layout.is_folder:
                self._sftp.mark(f"{final}/{self._marker}")


def foreign() -> PermanentFailure:
    """Something else has a name of the message."""
    return PermanentFailure(
        "Under the message's name lies something that the hub did not put there.",
        code="sftp.foreign",
        action="Look at it with the authority; when it is gone, replay the delivery.",
    )


def _taken_at_once() -> PermanentFailure:
    """The server took what was written before it could be looked at: sent again, it would be taken again."""
    return PermanentFailure(
        "What was written is gone the moment it is written: the server takes files at once, under any name.",
        code="sftp.taken_at_once",
        action="Ask the authority whether it has the message; set lay: direct for this channel, then replay.",
    )


def _no_folders_renamed(error: StatusError) -> ConfigurationError:
    return ConfigurationError(
        f"The server does not rename folders: {error}. Messages of this channel wait.",
        code="sftp.folders_not_renamed",
        action="Set the dialect asice (one file), or lay: direct.",
    )


_SURELY_NOT: Final = frozenset({"sftp.rename_refused", "sftp.write_refused"})
"""The server said no, so it did not happen."""


@contextlib.contextmanager
def in_doubt(connection: SftpConnection) -> Iterator[None]:
    """Turn a failure here into ``OutcomeUnknown``: it may have happened all the same. A refused rename passes."""
    try:
        with connection.talking():
            yield
    except StatusError as error:
        raise OutcomeUnknown(f"The server did not mark the message as whole: {error}.", code="sftp.unmarked") from None
    except TemporaryFailure as failure:
        if failure.stable_code in _SURELY_NOT:
            raise
        raise OutcomeUnknown(f"{failure.message} The message may be in place.", code=failure.stable_code) from None


def _join(root: str, piece: Piece) -> str:
    return f"{root}/{piece.path}" if piece.path else root


def _from(piece: Piece, offset: int) -> Iterator[bytes]:
    """The content from an offset on. It is made from its beginning all the same, so that its checks hold."""
    for chunk in piece.chunks():
        if offset >= len(chunk):
            offset -= len(chunk)
        else:
            yield chunk[offset:]
            offset = 0
