"""Writing a bundle: gather, hash, seal the manifest."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final

from hub.errors import HubError, NotFound, SealRefused
from hub.evidence import keys, readme
from hub.ports import Attachments, Clock, RawInbound, Registry, Seal, Store
from hub.schemas import jcs, json_rendering
from hub.schemas.base import format_datetime
from hub.schemas.delivery import Attempt, Delivery, Direction, Fact, Message
from hub.schemas.envelope import Party
from hub.schemas.ids import CaseId
from hub.schemas.keys import VerificationKey
from hub.sealed import compact_token, media_type
from hub.tracking.copies import copies
from hub.tracking.story import Story, read

FORMAT: Final = "appeal-hub-evidence/1"
MANIFEST: Final = "manifest.json"
SEAL: Final = "manifest.jws"
SUMS: Final = "SHA256SUMS"
_XML: Final = frozenset({"application/xml", "text/xml"})
_SEALED_XML: Final = (b"urn:ua:appeal-hub:envelope:1", b"http://www.w3.org/2000/09/xmldsig#")
_ENDINGS: Final = {
    "application/json": "json",
    "application/jose": "jws",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/zip": "zip",
    "message/rfc822": "eml",
    "text/plain": "txt",
}
_CHUNK_BYTES: Final = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """A file with a seal. ``form``: ``jws`` or ``xml``. ``kid``: the key that fits, absent if none of the party does.

    ``envelope``: the file whose bytes the seal is over (``jws``), or whose message it is (``xml``).
    """

    file: str
    form: str
    party: str
    kid: str | None
    envelope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Figures of the bundle that was written. ``left_out``: attachments that are not in the bundle."""

    case_id: CaseId
    files: int
    seals: int
    left_out: int
    sha256: str


@dataclass(slots=True)
class _Bundle:
    """The zip being written, with what the manifest will say."""

    archive: zipfile.ZipFile
    made_at: datetime
    entries: list[jcs.JsonValue] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    """Files that went out, with a SHA-256 that an attempt was written with before."""

    def add(self, path: str, content: bytes) -> str:
        """Put a file in and list it; its path."""
        return self.stream(path, (content,))

    def stream(self, path: str, chunks: Iterable[bytes]) -> str:
        """The same in pieces."""
        digest, size = hashlib.sha256(), 0
        with self.archive.open(self._info(path), "w", force_zip64=True) as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self.entries.append({"path": path, "sha256": digest.hexdigest(), "size": size})
        self.sums.append(f"{digest.hexdigest()}  {path}\n")
        return path

    def json(self, path: str, document: object) -> str:
        """A JSON document for people and programs."""
        return self.add(path, (json.dumps(document, ensure_ascii=False, indent=1, default=_plain) + "\n").encode())

    def unlisted(self, path: str, content: bytes) -> None:
        """The manifest and its seal cannot list themselves."""
        with self.archive.open(self._info(path), "w") as file:
            file.write(content)

    def _info(self, path: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(path, self.made_at.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = (0o700 if path.endswith(".sh") else 0o600) << 16
        return info


def _plain(value: object) -> str:
    return format_datetime(value) if isinstance(value, datetime) else str(value)


class Exporter:
    """Exports cases. ``own_keys``: the hub's present keys, in case the registry does not have them."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        seal: Seal,
        attachments: Attachments,
        clock: Clock,
        party: Party,
        own_keys: Sequence[VerificationKey],
    ) -> None:
        self._store = store
        self._registry = registry
        self._seal = seal
        self._attachments = attachments
        self._clock = clock
        self._party = party
        self._own_keys = tuple(own_keys)

    def export(self, case_id: CaseId, out: BinaryIO, *, with_attachments: bool) -> Exported:
        """Write the bundle of one case to a seekable file. ``NotFound`` if there is no such case.

        It holds personal data: whoever gets it must have a right to the case.
        """
        row = self._store.case(case_id)
        if row is None:
            raise NotFound("There is no case with this id.", code="case.unknown")
        directory = self._registry.current()
        now = self._clock.now()
        with zipfile.ZipFile(out, "w") as archive:
            bundle = _Bundle(archive, now)
            seals: list[SealedFile] = []
            used: dict[tuple[str, str], VerificationKey] = {(self._party.code, k.kid): k for k in self._own_keys}
            messages = self._store.messages(case_id)
            known = self._messages(bundle, messages, seals, used)
            deliveries = self._store.deliveries(case_id)
            self._deliveries(bundle, deliveries, known, seals, used)
            left_out = self._files(bundle, messages, with_attachments=with_attachments)
            bundle.json("case.json", {"case": _public(row.case), "state": row.state, "registry": directory.version})
            facts = self._store.facts(case_id)
            bundle.json("facts.json", [_fact(fact) for fact in facts])
            bundle.json("copies.json", _copies(read(facts), deliveries))
            bundle.json("seals.json", [_public(each) for each in seals])
            for (party, _), key in sorted(used.items()):
                for path, content in keys.forms(party, key).items():
                    bundle.add(path, content)
            self._close(bundle, case_id, seals, used, left_out)
        out.seek(0)
        digest = hashlib.sha256()
        while chunk := out.read(_CHUNK_BYTES):
            digest.update(chunk)
        return Exported(
            case_id=case_id,
            files=len(bundle.entries) + 2,
            seals=len(seals),
            left_out=left_out,
            sha256=digest.hexdigest(),
        )

    def _close(
        self,
        bundle: _Bundle,
        case_id: CaseId,
        seals: Sequence[SealedFile],
        used: Mapping[tuple[str, str], VerificationKey],
        left_out: int,
    ) -> None:
        own = self._own_keys[0]
        text, script = readme.write(
            case_id=str(case_id),
            hub=self._party.code,
            own=own,
            seals=seals,
            used=used,
            sent=bundle.sent,
            left_out=left_out,
        )
        bundle.add("README.md", text.encode())
        bundle.add("verify.sh", script.encode())
        bundle.add(SUMS, "".join(bundle.sums).encode())
        manifest = jcs.canonical_bytes(
            {
                "format": FORMAT,
                "case_id": str(case_id),
                "made_at": format_datetime(bundle.made_at),
                "made_by": self._party.code,
                "files": bundle.entries,
            }
        )
        bundle.unlisted(MANIFEST, manifest)
        bundle.unlisted(SEAL, self._seal.seal_json(manifest))

    # Messages and deliveries

    def _messages(
        self,
        bundle: _Bundle,
        messages: Sequence[Message],
        seals: list[SealedFile],
        used: dict[tuple[str, str], VerificationKey],
    ) -> dict[str, str]:
        """All envelopes of the case; paths by message id. What came in stands beside its envelope as it came."""
        known: dict[str, str] = {}
        for number, message in enumerate(messages, 1):
            folder = f"messages/{number:03d}-{message.kind}-{message.direction}"
            known[str(message.id)] = envelope = bundle.add(f"{folder}/envelope.json", message.body)
            if message.direction is Direction.IN and message.raw is not None:
                raw = RawInbound(content_type=message.raw_type or "", body=message.raw)
                path = bundle.add(f"{folder}/received.{_ending(raw.content_type)}", raw.body)
                self._seals(bundle, raw, path, message.sender, envelope, message.created_at, seals, used)
        return known

    def _deliveries(
        self,
        bundle: _Bundle,
        deliveries: Sequence[Delivery],
        known: Mapping[str, str],
        seals: list[SealedFile],
        used: dict[tuple[str, str], VerificationKey],
    ) -> None:
        """Add what went out, byte for byte, and the attempts that name its SHA-256."""
        rows: list[dict[str, object]] = []
        for number, delivery in enumerate(deliveries, 1):
            folder = f"deliveries/{number:03d}-{delivery.authority}"
            payload = None
            if delivery.payload is not None:
                raw = RawInbound(content_type=delivery.payload_type or "", body=delivery.payload)
                payload = bundle.add(f"{folder}/sent.{_ending(raw.content_type)}", raw.body)
                envelope = known.get(str(delivery.message_id), "")
                at = delivery.first_attempt_at or delivery.created_at
                for path, part in _parts(bundle, folder, payload, raw):
                    self._seals(bundle, part, path, self._party.code, envelope, at, seals, used)
            attempts = self._store.attempts(delivery.id)
            if payload is not None:
                bundle.sent += sorted({(payload, attempt.sha256) for attempt in attempts})
            rows.append(
                {
                    **_public(delivery, without={"payload", "lease_owner", "lease_until"}),
                    "sent": payload,
                    "tries": [_attempt(attempt) for attempt in attempts],
                }
            )
        bundle.json("deliveries.json", rows)

    def _seals(
        self,
        bundle: _Bundle,
        raw: RawInbound,
        path: str,
        party: str,
        envelope: str,
        at: datetime,
        seals: list[SealedFile],
        used: dict[tuple[str, str], VerificationKey],
    ) -> None:
        """Note the seal of a document, if it has one; a JWS stands beside it in the form that other programs read."""
        candidates = self._keys(party)
        token = _token(raw)
        if token is not None:
            file = path if path.endswith(".jws") else bundle.add(f"{path.rpartition('.')[0]}.jws", token)
            key = _fitting(candidates, lambda each: self._seal.verify_json(token, [each], at))
            form = "jws"
        elif media_type(raw.content_type) in _XML and all(mark in raw.body for mark in _SEALED_XML):
            file, form = path, "xml"
            key = _fitting(candidates, lambda each: self._seal.verify_xml(raw.body, [each], at))
        else:
            return
        if key is not None:
            used[party, key.kid] = key
        kid = key.kid if key else None
        seals.append(SealedFile(file=file, form=form, party=party, kid=kid, envelope=envelope))

    def _keys(self, party: str) -> tuple[VerificationKey, ...]:
        known = self._registry.current().keys(party)
        return (*self._own_keys, *known) if party == self._party.code else known

    def _files(self, bundle: _Bundle, messages: Sequence[Message], *, with_attachments: bool) -> int:
        """Attachments by SHA-256, each once; how many were left out."""
        named = {
            entry.sha256: entry
            for message in messages
            for entry in json_rendering.from_trusted(message.body).attachments
        }
        if not with_attachments:
            return len(named)
        for sha256 in sorted(named):
            bundle.stream(f"attachments/{sha256}", _chunks(self._attachments, sha256))
        return 0


def _fitting(candidates: Iterable[VerificationKey], verify: object) -> VerificationKey | None:
    assert callable(verify)
    for key in candidates:
        try:
            verify(key)
        except SealRefused:
            continue
        return key
    return None


def _token(raw: RawInbound) -> bytes | None:
    try:
        return compact_token(raw)
    except HubError:
        return None  # words of another system in JSON that is none of ours: kept as they are, without a seal


def _parts(bundle: _Bundle, folder: str, payload: str, raw: RawInbound) -> Iterator[tuple[str, RawInbound]]:
    """The documents in what was sent: itself, or the envelopes in an archive."""
    if media_type(raw.content_type) != "application/zip":
        yield payload, raw
        return
    types = {"envelope.json": "application/json", "envelope.xml": "application/xml"}
    with zipfile.ZipFile(io.BytesIO(raw.body)) as archive:
        for name in archive.namelist():
            if name in types:
                part = RawInbound(content_type=types[name], body=archive.read(name))
                yield bundle.add(f"{folder}/sent-{name}", part.body), part


def _chunks(attachments: Attachments, sha256: str) -> Iterator[bytes]:
    with attachments.open(sha256) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _ending(content_type: str) -> str:
    return _ENDINGS.get(media_type(content_type), "bin")


def _public(row: object, without: Iterable[str] = ()) -> dict[str, object]:
    """A frozen row as it is shown."""
    names = [name for name in row.__slots__ if not name.startswith("_")]  # type: ignore[attr-defined]
    return {name: getattr(row, name) for name in names if name not in set(without)}


def _attempt(attempt: Attempt) -> dict[str, object]:
    return _public(attempt, without={"delivery_id"})


def _copies(story: Story, deliveries: Sequence[Delivery]) -> list[dict[str, object]]:
    """Which channels were tried for each executor, and which copy counts, with the message that proves it."""
    channels = {str(delivery.id): delivery.channel_id for delivery in deliveries}
    return [
        {
            "authority": executor.authority,
            "role": executor.role,
            "delivery_id": copy.delivery,
            "channel_id": channels.get(copy.delivery),
            "sent_at": copy.sent_at,
            "received_at": copy.received_at,
            "given_up_at": copy.given_up_at,
            "receipt": copy.receipt.kind if copy.receipt else None,
            "proof": copy.receipt.message_id if copy.receipt else None,
            "counts": copy.counts,
        }
        for executor in story.executors
        for copy in copies(story, executor)
    ]


def _fact(fact: Fact) -> dict[str, object]:
    return {**_public(fact), "data": dict(fact.data), "key": fact.key}
