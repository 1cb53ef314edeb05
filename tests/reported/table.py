"""Which player plays which case, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.reported.players import (
    house_rules,
    imap_boxes,
    mails,
    real_mail,
    rest_answers,
    rest_doors,
    rest_lanes,
    rest_reading,
    rest_uploads,
    rest_webhooks,
    sftp_lanes,
    soap_answers,
    soap_doors,
    soap_sev,
)

HERE = Path(__file__).parent
Player: TypeAlias = Callable[[Path], str]
"""Plays the case in a folder and tells what came of it: the same text each time."""

_HOUSE: Mapping[str, Player] = {
    "1": house_rules.email_disk,
    "2": house_rules.failure_maps,
    "3": house_rules.sev_configuration,
    "4": house_rules.sev_lane,
}
_MAIL: Mapping[str, Player] = {
    "01": mails.play_together,
    "06": mails.play_final,
    "07": mails.play_final,
    "08": mails.play_final,
    "09": mails.play_final,
    "23": mails.play_together,
    "24": mails.many_files,
    "50": imap_boxes.habits("none", "exchange", "kerio", "store_no"),
    "51": imap_boxes.habits("namespace"),
    "52": imap_boxes.habits("unsolicited"),
    "53": imap_boxes.too_large,
    "54": imap_boxes.cyrillic_password,
    "55": mails.capitals,
    "60": sftp_lanes.takes_at_once,
    "61": sftp_lanes.short_reads,
    "62": sftp_lanes.missing_is_a_failure,
    "63": sftp_lanes.keyboard_interactive,
    "64": sftp_lanes.no_size,
    "65": sftp_lanes.no_times,
    "66": sftp_lanes.fsync_fails,
    "67": sftp_lanes.outbox_rights,
    "68": sftp_lanes.write_once,
    "69": sftp_lanes.dots_denied,
    "70": sftp_lanes.cyrillic_names,
    "71": sftp_lanes.capitals,
    "72": sftp_lanes.folders_stay,
    "73": sftp_lanes.odd_settings,
}
_REAL: Mapping[str, Player] = {
    "01": real_mail.one_for_two,
    "02": real_mail.blind_copy,
    "51": real_mail.namespace,
}
"""Mails once more, by Postfix and Dovecot: ``gave-real.txt``."""
_REST: Mapping[str, Player] = {
    "10": rest_uploads.play,
    "15": rest_doors.form_with_file,
    "16": rest_doors.form_with_file,
    "17": rest_reading.likeness,
    "18": rest_lanes.play,
    "19": rest_doors.head_requests,
    "20": rest_reading.tokens,
    "21": rest_reading.keys_twice,
    "22": rest_reading.codifier,
    "23": rest_webhooks.play,
    "24": rest_doors.restored,
    "25": rest_doors.forms,
    "26": rest_doors.references,
    "27": rest_doors.callback,
    "28": rest_doors.old_protocol,
    "29": rest_doors.form_with_file,
    "30": rest_doors.batch_keys,
}
_SOAP: Mapping[str, Player] = {
    "03": soap_sev.play,
    "06": soap_doors.play,
    "08": soap_doors.play,
    "11": soap_sev.play,
    "12": soap_doors.play,
    "17": soap_sev.play,
    "21": soap_doors.play,
    "31": soap_doors.play,
    "33": soap_doors.play,
}
_AREAS = {"house": _HOUSE, "mail": _MAIL, "rest": _REST, "soap": _SOAP}
_OTHERS: Mapping[str, Player] = {"mail": mails.play, "rest": rest_answers.play, "soap": soap_answers.play}
"""Who plays the cases of an area that have no player of their own."""


@dataclass(frozen=True, slots=True)
class Case:
    """One folder with an input. ``programs``: what others wrote and it cannot be played without; ``kept``: the file
    that holds what it gave.
    """

    folder: Path
    player: Player
    programs: tuple[str, ...] = ()
    kept: str = "gave.txt"

    @property
    def name(self) -> str:
        """Area and folder, and what it is played with."""
        return "-with-".join((f"{self.folder.parent.name}/{self.folder.name}", *self.programs[:1]))

    @property
    def gave(self) -> Path:
        """What it gave."""
        return self.folder / self.kept

    def play(self) -> str:
        """What it gives now."""
        return self.player(self.folder)


def _cases(folder: Path) -> Iterator[Case]:
    area, number = folder.parent.name, folder.name.partition("-")[0]
    yield Case(folder, _AREAS[area].get(number) or _OTHERS[area])
    if area == "mail" and number in _REAL:
        yield Case(folder, _REAL[number], ("dovecot", "postfix"), "gave-real.txt")


def cases() -> tuple[Case, ...]:
    """All cases, in order of name."""
    folders = (folder for area in _AREAS for folder in sorted((HERE / area).glob("*")) if folder.is_dir())
    return tuple(case for folder in folders for case in _cases(folder))
