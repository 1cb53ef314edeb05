"""Checking a bundle from our side: the manifest's seal by a key that the caller trusts, then all by the manifest.

The bundle is hostile until then: names are compared and never used as paths, sizes are bounded, nothing is unpacked.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final

from pydantic import ValidationError

from hub.errors import Fault, HubError, InvalidInput, SealRefused
from hub.evidence.export import FORMAT, MANIFEST, SEAL
from hub.ports import Seal
from hub.schemas import json_rendering, strict_json, xml_rendering
from hub.schemas.base import Frozen, Instant
from hub.schemas.ids import Sha256
from hub.schemas.keys import VerificationKey

MAX_FILES: Final = 20_000
MAX_SMALL_BYTES: Final = 16 * 1024 * 1024
_CHUNK_BYTES: Final = 262_144
# A name that claims to be UTF-8 and is not is a ValueError, a field that lies a struct.error, a place before the file's
# beginning a ValueError, too, or the system's "invalid argument".
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)


class _Listed(Frozen):
    path: str
    sha256: Sha256
    size: int


class _Manifest(Frozen):
    format: str
    case_id: str
    made_at: Instant
    made_by: str
    files: tuple[_Listed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. ``code``: what is wrong, absent if it holds."""

    what: str
    code: str | None = None


@dataclass(slots=True, kw_only=True)
class CheckReport:
    """Findings of the check."""

    case_id: str = ""
    made_by: str = ""
    made_at: datetime | None = None
    checks: list[Check] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """True if there are checks and all of them hold."""
        return bool(self.checks) and all(check.code is None for check in self.checks)


def check(file: BinaryIO, *, seal: Seal, trusted: Sequence[VerificationKey]) -> CheckReport:
    """Look at everything in a bundle. ``trusted``: keys of the hub that made it, from a source that is not the bundle.

    Raises ``InvalidInput`` for what is no bundle, ``SealRefused`` if its manifest is not sealed by a trusted key.
    """
    with _broken():
        archive = zipfile.ZipFile(file)
    with archive:
        infos = archive.infolist()
        names = {info.filename: info for info in infos}
        if len(names) != len(infos) or len(infos) > MAX_FILES or not {MANIFEST, SEAL} <= set(names):
            raise _no_bundle("has no manifest, two files of one name, or too many files")
        manifest = _manifest(archive, names, seal, trusted)
        report = CheckReport(case_id=manifest.case_id, made_by=manifest.made_by, made_at=manifest.made_at)
        report.checks.append(Check(what=SEAL))
        sums = _sums(archive, names, manifest, report)
        _attempts(archive, names, sums, report)
        _seals(archive, names, seal, manifest.made_at, report)
    return report


def _manifest(
    archive: zipfile.ZipFile,
    names: Mapping[str, zipfile.ZipInfo],
    seal: Seal,
    trusted: Sequence[VerificationKey],
) -> _Manifest:
    body = _small(archive, names, MANIFEST)
    try:
        manifest = _Manifest.model_validate_json(body)
    except ValidationError:
        raise _no_bundle("has a manifest that cannot be read") from None
    if manifest.format != FORMAT:
        raise _no_bundle("is of a format that is not known here")
    if seal.verify_json(_small(archive, names, SEAL), trusted, manifest.made_at) != body:
        raise SealRefused("The seal is over another manifest.", code="evidence.manifest")
    return manifest


def _sums(
    archive: zipfile.ZipFile, names: Mapping[str, zipfile.ZipInfo], manifest: _Manifest, report: CheckReport
) -> dict[str, str]:
    """SHA-256 of every listed file, as it is; what is not listed, or lacks, is said."""
    found: dict[str, str] = {}
    listed = {entry.path: entry for entry in manifest.files}
    for path in sorted(set(names) - set(listed) - {MANIFEST, SEAL}):
        report.checks.append(Check(what=path, code="evidence.unlisted"))
    for path, entry in listed.items():
        if path not in names:
            report.checks.append(Check(what=path, code="evidence.missing"))
            continue
        digest, size = hashlib.sha256(), 0
        for chunk in _chunks(archive, names[path], entry.size):
            digest.update(chunk)
            size += len(chunk)
        found[path] = digest.hexdigest()
        holds = (size, found[path]) == (entry.size, entry.sha256)
        report.checks.append(Check(what=path, code=None if holds else "evidence.changed"))
    return found


def _attempts(
    archive: zipfile.ZipFile, names: Mapping[str, zipfile.ZipInfo], sums: Mapping[str, str], report: CheckReport
) -> None:
    """Each attempt must name the SHA-256 of what is kept as sent."""
    for row in _rows(archive, names, "deliveries.json"):
        sent = row.get("sent")
        tries = row.get("tries")
        for attempt in tries if isinstance(tries, list) else ():
            if isinstance(sent, str) and isinstance(attempt, dict):
                same = attempt.get("sha256") == sums.get(sent)
                what = f"attempt {attempt.get('number')} of {row.get('id')}"
                report.checks.append(Check(what=what, code=None if same else "evidence.sent_differs"))


def _seals(
    archive: zipfile.ZipFile, names: Mapping[str, zipfile.ZipInfo], seal: Seal, at: datetime, report: CheckReport
) -> None:
    """Each seal must hold with the key that stands in the bundle, over the envelope that stands beside it."""
    known = _keys(archive, names)
    for row in _rows(archive, names, "seals.json"):
        file, party, kid, envelope = (str(row.get(name) or "") for name in ("file", "party", "kid", "envelope"))
        try:
            key = known.get((party, kid))
            if key is None:
                raise SealRefused("No key fits.", code="evidence.no_key")
            unlimited = key.model_copy(update={"valid_from": min(key.valid_from, at), "valid_to": None})
            content = _verified(seal, _small(archive, names, file), str(row.get("form")), unlimited, key.valid_from)
            same = content == _small(archive, names, envelope)
            code = None if same else "evidence.other_envelope"
        except HubError as refusal:
            code = refusal.stable_code
        report.checks.append(Check(what=f"seal of {party}: {file}", code=code))


def _verified(seal: Seal, document: bytes, form: str, key: VerificationKey, at: datetime) -> bytes:
    """RFC 8785 bytes of what the seal is over. Looked at within the key's life: its end may have come since."""
    if form == "jws":
        return seal.verify_json(document, [key], at)
    return json_rendering.to_json(xml_rendering.from_xml(seal.verify_xml(document, [key], at)))


def _keys(archive: zipfile.ZipFile, names: Mapping[str, zipfile.ZipInfo]) -> dict[tuple[str, str], VerificationKey]:
    """The keys of the bundle by party and id. A file that holds none fits no seal, and the report says so there."""
    found = {}
    for path in names:
        if path.startswith("keys/") and path.endswith(".json"):
            with contextlib.suppress(ValidationError, InvalidInput):
                entry = strict_json.parse(_small(archive, names, path))
                party = str(entry.pop("party", "")) if isinstance(entry, dict) else ""
                key = VerificationKey.model_validate_json(json.dumps(entry))
                found[party, key.kid] = key
    return found


def _rows(archive: zipfile.ZipFile, names: Mapping[str, zipfile.ZipInfo], path: str) -> Iterator[dict[str, object]]:
    rows = strict_json.parse(_small(archive, names, path), max_bytes=MAX_SMALL_BYTES)
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            yield dict(row)


def _small(archive: zipfile.ZipFile, names: Mapping[str, zipfile.ZipInfo], path: str) -> bytes:
    if path not in names:
        raise InvalidInput(f"The bundle lacks {path[:200]}.", code="evidence.missing")
    return b"".join(_chunks(archive, names[path], MAX_SMALL_BYTES))


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> Iterator[bytes]:
    """At most one byte more than ``limit``, whatever the zip says of itself."""
    left = limit + 1
    with _broken(), archive.open(info) as file:
        while left and (chunk := file.read(min(_CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except _BROKEN:
        raise _no_bundle("is no zip, or a broken one") from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise _no_bundle("is no zip, or a broken one") from None


def _no_bundle(why: str) -> InvalidInput:
    return InvalidInput(
        f"The file {why}.",
        code="evidence.bundle",
        faults=[Fault(pointer="", code="evidence.bundle", message=why)],
        action="Export the case again with `hub evidence export`.",
    )
