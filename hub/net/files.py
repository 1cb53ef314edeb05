"""Files of a message on their way out: streamed from the hub's store, and held against the manifest as they go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from hub.errors import ConfigurationError, NotFound, PermanentFailure
from hub.ports import Attachments
from hub.schemas.envelope import Attachment

PIECE_BYTES = 65_536


def store_of(attachments: Attachments | None) -> Attachments:
    """The store that the hub lends to adapters. ``ConfigurationError`` in a process that has none."""
    if attachments is None:
        raise ConfigurationError("This process has no attachment store, so it cannot send files.")
    return attachments


def check_file(file: Attachment, attachments: Attachments) -> None:
    """Raise ``PermanentFailure`` (``attachment.missing``) unless the store has the file with this size."""
    try:
        size = attachments.size(file.sha256)
    except NotFound:
        raise _missing() from None
    if size != file.size:
        raise _missing()


def content(file: Attachment, attachments: Attachments, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """The file's bytes in pieces; the last one only after the whole was seen to have the SHA-256 of the manifest.

    A damaged file thus ends in something cut off, which nobody can take in, never in a wrong attachment. Raises
    ``PermanentFailure`` (``attachment.missing``), ``Unavailable`` if the disk fails.
    """
    try:
        source = attachments.open(file.sha256)
    except NotFound:
        raise _missing() from None
    digest, left, last = hashlib.sha256(), file.size, b""
    with source:
        while left > 0:
            piece = source.read(min(piece_bytes, left))
            if not piece:
                raise _missing()
            if last:
                yield last
            digest.update(piece)
            left -= len(piece)
            last = piece
    if digest.hexdigest() != file.sha256:
        raise _missing()
    if last:
        yield last


def _missing() -> PermanentFailure:
    return PermanentFailure(
        "An attachment of the message is not in the hub's store as the manifest says.",
        code="attachment.missing",
        action="Restore the file from a backup, then replay the delivery.",
    )
