"""A bundle is verified by programs that others wrote, and by ours; whatever is changed in it, both refuse."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.cases.submission import Accepted
from hub.errors import HubError, InvalidInput, NotFound, SealRefused
from hub.evidence import CheckReport, Exported, Exporter, check
from hub.ports import RawInbound
from hub.schemas import xml_rendering
from hub.schemas.delivery import FactKind
from hub.schemas.envelope import AnswerBody, AnswerEnvelope, Header, Party
from hub.schemas.ids import CaseId, new_id
from hub.schemas.keys import VerificationKey
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import AnswerResult, AnswerStage
from hub.seals import HubSeal, SigningKey, make_key_file
from hub.seals.keys import verification_key
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.adapters.sftp.way import CODE, HUB, Way
from tests.delivery.origins import origin
from tests.forms import examples


@dataclass
class Case:
    """One case that went the whole way, and its bundle."""

    way: Way
    accepted: Accepted
    trusted: VerificationKey
    data: bytes
    done: Exported

    def check(self, data: bytes | None = None, key: VerificationKey | None = None) -> CheckReport:
        """Our own look at it."""
        file = io.BytesIO(self.data if data is None else data)
        return check(file, seal=HubSeal(None), trusted=[key or self.trusted])

    def names(self) -> list[str]:
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            return archive.namelist()

    def one(self, ending: str) -> str:
        (name,) = [name for name in self.names() if name.endswith(ending)]
        return name

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            return archive.read(name)


def answer_in_xml(way: Way, accepted: Accepted, key: SigningKey) -> None:
    """The authority answers once more, as signed XML."""
    now = way.clock.now()
    envelope = AnswerEnvelope(
        header=Header(
            message_id=new_id(),
            case_id=accepted.case_id,
            in_reply_to=accepted.message_id,
            created_at=now,
            sender=Party(code=CODE),
            recipient=HUB,
        ),
        body=AnswerBody(
            stage=AnswerStage.INTERIM,
            result=AnswerResult.EXPLAINED,
            number="К-9",
            date=kyiv_day(now),
            at=now,
            text="Проміжна відповідь.",
        ),
    )
    sealed = HubSeal(key).seal_xml(xml_rendering.to_xml(envelope))
    way.receiver.receive(RawInbound(content_type="application/xml", body=sealed), origin(way.channel_id, CODE))


def exporter(way: Way) -> Exporter:
    return Exporter(
        store=way.store,
        registry=way.registry,
        seal=way.seal,
        attachments=way.attachments,
        clock=way.clock,
        party=HUB,
        own_keys=(way.seal.own_key(),),
    )


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """An appeal with a file, sent over SFTP, registered and answered in JSON, answered again in XML."""
    way = Way(tmp_path_factory.mktemp("evidence"), "drop")
    with way.simulator:
        accepted = way.submit(way.scan(b"%PDF-1.7"))
        way.run_until(accepted, FactKind.REGISTERED, FactKind.ANSWERED)
    answer_in_xml(way, accepted, way.body_key)
    out = io.BytesIO()
    done = exporter(way).export(accepted.case_id, out, with_attachments=True)
    return Case(way=way, accepted=accepted, trusted=way.seal.own_key(), data=out.getvalue(), done=done)


def test_everything_is_in_it(case: Case) -> None:
    """Envelopes, what came in as it came, what went out with its attempts' SHA-256, facts, keys, files."""
    assert hashlib.sha256(case.data).hexdigest() == case.done.sha256
    messages = case.way.store.messages(case.accepted.case_id)
    received = {case.read(name) for name in case.names() if "/received." in name and not name.endswith(".jws")}
    assert received == {message.raw for message in messages if message.raw is not None}
    envelopes = {case.read(name) for name in case.names() if name.endswith("/envelope.json")}
    assert envelopes == {message.body for message in messages}
    (delivery,) = case.way.store.deliveries(case.accepted.case_id)
    assert case.read(case.one("/sent.zip")) == delivery.payload
    (row,) = json.loads(case.read("deliveries.json"))
    attempts = case.way.store.attempts(delivery.id)
    assert [each["sha256"] for each in row["tries"]] == [attempt.sha256 for attempt in attempts]
    assert [fact["key"] for fact in json.loads(case.read("facts.json"))] == [
        fact.key for fact in case.way.store.facts(case.accepted.case_id)
    ]
    (copy,) = json.loads(case.read("copies.json"))
    assert (copy["delivery_id"], copy["receipt"], copy["counts"]) == (str(delivery.id), "registered", True)
    assert copy["proof"] in {str(message.id) for message in messages}
    assert case.read(case.one("attachments/" + hashlib.sha256(b"%PDF-1.7").hexdigest())) == b"%PDF-1.7"
    seals = json.loads(case.read("seals.json"))
    assert sorted((each["party"], each["form"]) for each in seals) == sorted(
        [(HUB.code, "jws"), (HUB.code, "xml"), (CODE, "jws"), (CODE, "jws"), (CODE, "xml")]
    )
    assert all(each["kid"] for each in seals)


def test_ours_agrees(case: Case) -> None:
    """Our own check finds every sum, attempt and seal in order."""
    report = case.check()
    assert report.holds, [each for each in report.checks if each.code]
    assert (report.case_id, report.made_by) == (str(case.accepted.case_id), HUB.code)
    assert len(report.checks) == case.done.files - 1 + case.done.seals + 1


def unpack(data: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    return folder


def script(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(folder / "verify.sh")], capture_output=True, text=True, timeout=60, check=False, cwd="/"
    )


@pytest.mark.foreign("jose")
@pytest.mark.foreign("xmlsec1")
def test_others_agree(case: Case, tmp_path: Path) -> None:
    """``verify.sh`` runs sha256sum, jose and xmlsec1 over all of it: every line holds."""
    done = script(unpack(case.data, tmp_path))
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == 3 + case.done.seals + 1
    assert all(line.startswith("holds: ") for line in lines)


@pytest.mark.foreign("openssl")
def test_the_recipes_of_the_readme(case: Case, tmp_path: Path) -> None:
    """openssl alone verifies a JWS as the README tells, and computes the key's id that it lists."""
    folder = unpack(case.data, tmp_path)
    text = (folder / "README.md").read_text("utf-8")
    seal = next(each for each in json.loads(case.read("seals.json")) if each["form"] == "jws" and each["party"] == CODE)
    name = f"{CODE}-{seal['kid'][:16]}"
    blocks = [block.partition("\n```")[0] for block in text.split("```sh\n")[1:]]
    (recipe,) = [block for block in blocks if "signing-input" in block]
    recipe = recipe.replace("FILE.jws", seal["file"]).replace("NAME", name)
    done = subprocess.run(["sh", "-ec", recipe], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1] == "Verified OK", done.stderr
    words = ["sh", "-ec", blocks[0].replace("NAME", name)]
    assert (
        subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout.split()[0] == seal["kid"]
    )
    assert seal["kid"] in text


def repacked(case: Case, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The bundle with something changed."""
    with zipfile.ZipFile(io.BytesIO(case.data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def flip(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        (path,) = [path for path in parts if path.endswith(name)]
        content = bytearray(parts[path])
        content[len(content) // 2] ^= 1
        parts[path] = bytes(content)

    return change


CHANGED = ["facts.json", "sent.zip", "received.xml", "sent-envelope.xml", "sent-envelope.jws", "-out/envelope.json"]


@pytest.mark.slow
@pytest.mark.foreign("jose")
@pytest.mark.foreign("xmlsec1")
@pytest.mark.parametrize("name", CHANGED)
def test_what_was_changed_is_found_by_both(case: Case, tmp_path: Path, name: str) -> None:
    """One bit anywhere: our check names the file, and the script of other programs fails."""
    data = repacked(case, flip(name))
    try:
        report = case.check(data)
    except InvalidInput:
        pass  # a document that cannot even be read any more
    else:
        assert [each.what for each in report.checks if each.code == "evidence.changed"] == [
            path for path in case.names() if path.endswith(name)
        ]
    assert script(unpack(data, tmp_path)).returncode == 1


def take_the_readme(parts: dict[str, bytes]) -> None:
    del parts["README.md"]


def test_what_was_added_or_taken_is_found(case: Case) -> None:
    """A file that nobody listed, and one that lacks, are both named."""
    added = case.check(repacked(case, lambda parts: parts.update({"more.txt": b""})))
    assert [(each.what, each.code) for each in added.checks if each.code] == [("more.txt", "evidence.unlisted")]
    lacking = case.check(repacked(case, take_the_readme))
    assert [(each.what, each.code) for each in lacking.checks if each.code] == [("README.md", "evidence.missing")]


def test_the_manifest_cannot_be_made_anew(case: Case, tmp_path: Path) -> None:
    """Whoever changes a file and writes it into the manifest lacks the hub's key; a seal by another key is refused."""

    def forge(parts: dict[str, bytes]) -> None:
        parts["facts.json"] = b"[]"
        manifest = json.loads(parts["manifest.json"])
        for entry in manifest["files"]:
            if entry["path"] == "facts.json":
                entry.update(size=2, sha256=hashlib.sha256(b"[]").hexdigest())
        body = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
        parts["manifest.json"] = body
        other = make_key_file(tmp_path / "other.pem", common_name="Other", organization="Other")
        parts["manifest.jws"] = HubSeal(other).seal_json(body)

    with pytest.raises(SealRefused):
        case.check(repacked(case, forge))
    with pytest.raises(SealRefused):
        case.check(key=verification_key(make_key_file(tmp_path / "o.pem", common_name="O", organization="O")))
    with pytest.raises(SealRefused):
        case.check(repacked(case, flip("manifest.jws")))


def sealed_anew(case: Case, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The bundle with something changed, listed and sealed as if the hub itself had made it so."""

    def whole(parts: dict[str, bytes]) -> None:
        change(parts)
        manifest = json.loads(parts["manifest.json"])
        for entry in manifest["files"]:
            content = parts[entry["path"]]
            entry.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        parts["manifest.json"] = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
        parts["manifest.jws"] = case.way.seal.seal_json(parts["manifest.json"])

    return repacked(case, whole)


def wrong(report: CheckReport) -> list[tuple[str, str]]:
    """What does not hold, and why."""
    return [(each.what, each.code) for each in report.checks if each.code is not None]


@pytest.mark.parametrize("side", ["attempt", "sent"])
def test_an_attempt_is_held_against_what_is_kept_as_sent(case: Case, side: str) -> None:
    """An attempt of other bytes than those kept as sent is named, though every sum and every seal is right."""

    def change(parts: dict[str, bytes]) -> None:
        if side == "sent":
            parts[case.one("/sent.zip")] += b"\0"
            return
        rows = json.loads(parts["deliveries.json"])
        rows[0]["tries"][0]["sha256"] = hashlib.sha256(b"other bytes").hexdigest()
        parts["deliveries.json"] = json.dumps(rows).encode()

    (delivery,) = case.way.store.deliveries(case.accepted.case_id)
    numbers = [attempt.number for attempt in case.way.store.attempts(delivery.id)]
    other = numbers[:1] if side == "attempt" else numbers
    assert wrong(case.check(sealed_anew(case, change))) == [
        (f"attempt {number} of {delivery.id}", "evidence.sent_differs") for number in other
    ]
    assert case.check(sealed_anew(case, lambda _: None)).holds


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jws", "xml"])
def test_a_seal_is_held_against_the_envelope_beside_it(case: Case, form: str) -> None:
    """A good seal over other content than the envelope beside it is named, though the manifest is right."""
    seals = json.loads(case.read("seals.json"))
    envelope = next(seal["envelope"] for seal in seals if seal["form"] == form and seal["party"] == CODE)

    def change(parts: dict[str, bytes]) -> None:
        document = json.loads(parts[envelope])
        document["header"]["created_at"] = "2020-01-01T00:00:00Z"
        parts[envelope] = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    assert wrong(case.check(sealed_anew(case, change))) == [
        (f"seal of {seal['party']}: {seal['file']}", "evidence.other_envelope")
        for seal in seals
        if seal["envelope"] == envelope
    ]


@pytest.mark.slow
def test_a_seal_that_no_key_fits_is_said(case: Case) -> None:
    """When the registry lost the authority's key, the export says so and the check does not hold."""
    entry = case.way.registry.current().authority(CODE)
    assert entry is not None
    bare = entry.model_copy(update={"keys": ()})
    registry, case.way.registry = (
        case.way.registry,
        FixedRegistry(LoadedDirectory(authorities=(bare,), territories=shipped())),
    )
    try:
        out = io.BytesIO()
        exporter(case.way).export(case.accepted.case_id, out, with_attachments=False)
    finally:
        case.way.registry = registry
    report = case.check(out.getvalue())
    assert {each.code for each in report.checks} == {None, "evidence.no_key"}


def test_attachments_can_be_left_out(case: Case) -> None:
    """Without the files the rest is the same, and the README says how many lack."""
    out = io.BytesIO()
    done = exporter(case.way).export(case.accepted.case_id, out, with_attachments=False)
    assert done.left_out == 1
    with zipfile.ZipFile(out) as archive:
        assert not [name for name in archive.namelist() if name.startswith("attachments/")]
        assert "1 are left out" in archive.read("README.md").decode()
    assert case.check(out.getvalue()).holds


def test_an_unknown_case_has_none(case: Case) -> None:
    """There is nothing to export of a case that does not exist."""
    with pytest.raises(NotFound):
        exporter(case.way).export(CaseId(new_id()), io.BytesIO(), with_attachments=False)


@given(st.binary(max_size=300), st.integers(0, 10_000))
@settings(max_examples=examples(60))
def test_noise_is_no_bundle(case: Case, noise: bytes, at: int) -> None:
    """Noise, or a bundle with noise in it, ends in one of our errors or in a report, never in another exception."""
    for data in (noise, case.data[:at] + noise + case.data[at + len(noise) :]):
        try:
            case.check(data)
        except HubError:
            continue


def test_a_name_that_is_no_text_is_no_bundle(case: Case) -> None:
    """A file name that claims to be UTF-8 and is not ends in our error, wherever in the container it stands."""
    named = case.data.replace(b"manifest.json", b"man\xbafest.json")
    flagged = bytearray(named)
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = -1
        while (at := flagged.find(mark, at + 1)) >= 0:
            flagged[at + offset + 1] |= 0x08
    with pytest.raises(InvalidInput):
        case.check(bytes(flagged))


def test_a_place_before_the_beginning_is_no_bundle(case: Case, tmp_path: Path) -> None:
    """A directory that lies about where it begins makes places before the file's first byte: our error, in memory and
    on disk.
    """
    end = case.data.rfind(b"PK\x05\x06") + 16
    where = int.from_bytes(case.data[end : end + 4], "little") + 500_000
    data = case.data[:end] + where.to_bytes(4, "little") + case.data[end + 4 :]
    (tmp_path / "bundle.zip").write_bytes(data)
    with (tmp_path / "bundle.zip").open("rb") as file:
        for each in (io.BytesIO(data), file):
            with pytest.raises(InvalidInput):
                check(each, seal=HubSeal(None), trusted=[case.trusted])


@pytest.mark.parametrize("content", [b"{", b"[]", b"7", b"\xff", b'{"party":1,"party":2}', b"[" * 100_000])
def test_a_changed_key_is_told(case: Case, content: bytes) -> None:
    """A key file that is no key any more is named as changed, and the seals that it was for as without a key."""
    (name,) = {
        name for name in case.names() if name.startswith("keys/") and f"/{CODE}" in name and name.endswith(".json")
    }
    told = wrong(case.check(repacked(case, lambda parts: parts.update({name: content}))))
    assert (name, "evidence.changed") in told
    assert "evidence.no_key" in {code for _, code in told}


def test_large_bundles_are_not_unpacked(case: Case) -> None:
    """A manifest that swells to more than it may is refused at its limit."""
    data = repacked(case, lambda parts: parts.update({"manifest.json": b" " * 20_000_000}))
    with pytest.raises((InvalidInput, SealRefused)):
        case.check(data)
