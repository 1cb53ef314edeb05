"""Laying a message down: a temporary name, resumed where a break left it, checked, then one rename.

Until the rename is asked for, nothing is in place and every failure is temporary. From then on until its answer has
come the outcome is unknown; the next attempt looks at what is there under the message's own name before it sends.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Final

from hub.adapters.sftp.connection import SftpConnection, refused
from hub.adapters.sftp.layout import MARKER, Layout, Piece
from hub.adapters.sftp.settings import SftpSettings
from hub.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from hub.protocols.sftp import StatusError
from hub.schemas.delivery import OutcomeKind

ANSWERS_SHARE: Final = 64
"""For each piece of 32 KiB the server says yes in less than 512 bytes."""
TEMPORARY: Final = ".tmp-"
"""How names of what is not whole begin; authorities look past them."""


def place(connection: SftpConnection, settings: SftpSettings, layout: Layout) -> OutcomeKind:
    """Lay one message down. ``DUPLICATE`` if an earlier attempt did. Raises ``DeliveryError``."""
    final = f"{settings.inbox.rstrip('/')}/{layout.name}"
    placing = _Placing(connection, by_hash=settings.verify == "hash")
    with connection.talking():
        try:
            if settings.taken and connection.sftp.look(f"{settings.taken.rstrip('/')}/{layout.name}"):
                return OutcomeKind.DUPLICATE
            if connection.sftp.look(final) is not None:
                return placing.found(layout, final)
            temporary = f"{settings.inbox.rstrip('/')}/{TEMPORARY}{layout.name}"
            placing.upload(layout, temporary)
        except StatusError as error:
            raise refused(error, "take the message's files") from None
    placing.reveal(layout, temporary, final)
    return OutcomeKind.DELIVERED


class _Placing:
    def __init__(self, connection: SftpConnection, *, by_hash: bool) -> None:
        self._connection = connection
        self._sftp = connection.sftp
        self._by_hash = by_hash

    def found(self, layout: Layout, final: str) -> OutcomeKind:
        """Something has the message's name: what an earlier attempt laid down, or something foreign."""
        if layout.is_folder and self._sftp.look(f"{final}/{MARKER}") is not None:
            return OutcomeKind.DUPLICATE
        if not all(self._holds(piece, _join(final, piece)) for piece in layout.pieces):
            raise PermanentFailure(
                "Under the message's name lies something that the hub did not put there.",
                code="sftp.foreign",
                action="Look at it with the authority; when it is gone, replay the delivery.",
            )
        if layout.is_folder:
            with _in_doubt(self._connection):
                self._sftp.mark(f"{final}/{MARKER}")
        return OutcomeKind.DUPLICATE

    def upload(self, layout: Layout, temporary: str) -> None:
        """Lay all pieces under the temporary name, each checked before the next."""
        if layout.is_folder:
            self._sftp.make_folder(temporary)
            if any(piece.path.startswith("attachments/") for piece in layout.pieces):
                self._sftp.make_folder(f"{temporary}/attachments")
        for piece in layout.pieces:
            self._upload(piece, _join(temporary, piece))

    def _upload(self, piece: Piece, path: str) -> None:
        there = self._sftp.look(path)
        begun = there.size if there is not None and there.is_file and there.size <= piece.size else 0
        if there is None or begun < piece.size or begun == 0:
            self._connection.wire.allow(piece.size // ANSWERS_SHARE)
            try:
                self._sftp.write(path, _from(piece, begun), offset=begun)
            except StatusError as error:
                self._discard(path)  # a full disk is not kept full by us
                raise refused(error, "write a file", "sftp.write_refused") from None
        if not self._holds(piece, path):
            self._discard(path)
            raise TemporaryFailure(
                "What was uploaded is not on the server as it was sent; it was removed.", code="sftp.damaged"
            )

    def _holds(self, piece: Piece, path: str) -> bool:
        """True if a path has exactly this content (or, if so set, this size)."""
        there = self._sftp.look(path)
        if there is None or not there.is_file or there.size != piece.size:
            return False
        if not self._by_hash:
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
        with _in_doubt(self._connection):
            try:
                self._sftp.rename(temporary, final)
            except StatusError as error:
                raise refused(error, "rename the message", "sftp.rename_refused") from None
            if layout.is_folder:
                self._sftp.mark(f"{final}/{MARKER}")


@contextlib.contextmanager
def _in_doubt(connection: SftpConnection) -> Iterator[None]:
    """Turn a failure here into ``OutcomeUnknown``: it may have happened all the same. A refused rename passes."""
    try:
        with connection.talking():
            yield
    except StatusError as error:
        raise OutcomeUnknown(f"The server did not mark the message as whole: {error}.", code="sftp.unmarked") from None
    except TemporaryFailure as failure:
        if failure.stable_code == "sftp.rename_refused":
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
