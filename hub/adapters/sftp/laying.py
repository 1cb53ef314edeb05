"""Laying down a document under a name of the authority's own: files, then the document, then the flag.

Until the document has its name nothing is in place, and every failure is temporary. Nothing is ever written over: such
names are not the hub's alone, so what lies there already must be this very document, byte for byte.
"""

from __future__ import annotations

from typing import Final

from hub.adapters.sftp.connection import SftpConnection, refused
from hub.adapters.sftp.placing import Placing, foreign, in_doubt
from hub.adapters.sftp.settings import SftpSettings
from hub.adapters.sftp.template import Plan, Target
from hub.protocols.sftp import FolderEntry, StatusError
from hub.schemas.delivery import OutcomeKind

_RENAME_REFUSED: Final = "sftp.rename_refused"


def lay_down(connection: SftpConnection, settings: SftpSettings, plan: Plan) -> OutcomeKind:
    """Lay one message down. ``DUPLICATE`` if an earlier attempt did. Raises ``DeliveryError``."""
    with connection.talking():
        try:
            return _Laying(connection, settings, plan).lay()
        except StatusError as error:
            raise refused(error, "take the message's files") from None


class _Laying:
    def __init__(self, connection: SftpConnection, settings: SftpSettings, plan: Plan) -> None:
        self._connection = connection
        self._sftp = connection.sftp
        self._settings = settings
        self._plan = plan
        self._placing = Placing(connection, settings)
        self._final = self._at(plan.document.path)

    def lay(self) -> OutcomeKind:
        if self._is_taken() or self._is_there():
            return OutcomeKind.DUPLICATE
        self._make_folders()
        for number, file in enumerate(self._plan.files, 1):
            self._lay_beside(file, number)
        document = self._plan.document
        if self._settings.lay == "direct":
            with in_doubt(self._connection):
                self._placing.write_new(document.piece, self._final)
        else:
            temporary = self._temporary(document, 0)
            self._placing.upload_piece(document.piece, temporary)
            with in_doubt(self._connection):
                self._reveal(temporary, self._final)
        self._raise_flag()
        return OutcomeKind.DELIVERED

    def _at(self, path: str) -> str:
        return f"{self._settings.inbox.rstrip('/')}/{path}"

    def _temporary(self, target: Target, number: int) -> str:
        folder, _, _ = self._at(target.path).rpartition("/")
        return f"{folder}/{self._settings.temporary}{self._plan.message_id}-{number}"

    def _is_taken(self) -> bool:
        """True if the document is in the folder of what they took, under its path or its name alone."""
        if self._settings.taken is None:
            return False
        root, path = self._settings.taken.rstrip("/"), self._plan.document.path
        for place in dict.fromkeys((f"{root}/{path}", f"{root}/{path.rpartition('/')[2]}")):
            if self._sftp.look(place) is not None:
                own = self._is_own(place.removeprefix(root))
                if own or self._placing.holds(self._plan.document.piece, place, exactly=True):
                    return True
                raise foreign()
        return False

    def _is_own(self, path: str) -> bool:
        """True for a name that no other message can have."""
        return self._plan.message_id in path

    def _is_there(self) -> bool:
        """True if an earlier attempt laid the document down; a flag that is missing is raised."""
        if self._sftp.look(self._final) is None:
            return False
        if not self._placing.holds(self._plan.document.piece, self._final, exactly=True):
            raise foreign()
        self._raise_flag()
        return True

    def _make_folders(self) -> None:
        paths = [each.path for each in (self._plan.document, *self._plan.files)]
        wanted: dict[str, None] = {}
        for path in filter(None, (*paths, self._plan.flag)):
            names = path.split("/")[:-1]
            wanted |= dict.fromkeys("/".join(names[:depth]) for depth in range(1, len(names) + 1))
        for folder in wanted:
            self._sftp.make_folder(self._at(folder))

    def _lay_beside(self, file: Target, number: int) -> None:
        final = self._at(file.path)
        there = self._sftp.look(final)
        if there is not None and self._placing.holds(file.piece, final, exactly=True):
            return
        if there is not None and not self._is_begun(there, file):
            raise foreign()
        if self._settings.lay == "direct":
            if there is None:
                self._placing.write_new(file.piece, final)
            else:
                self._placing.write(file.piece, final, 0)
            return
        temporary = self._temporary(file, number)
        self._placing.upload_piece(file.piece, temporary)
        self._reveal(temporary, final)

    def _is_begun(self, there: FolderEntry, file: Target) -> bool:
        """True for what an earlier attempt at writing directly left behind."""
        smaller = there.is_file and there.size is not None and there.size < file.piece.size
        return self._settings.lay == "direct" and smaller and self._is_own(file.path)

    def _reveal(self, temporary: str, final: str) -> None:
        try:
            self._sftp.rename_new(temporary, final)
        except StatusError as error:
            raise refused(error, "rename the message", _RENAME_REFUSED) from None

    def _raise_flag(self) -> None:
        if self._plan.flag is not None:
            with in_doubt(self._connection):
                self._sftp.mark(self._at(self._plan.flag))
