"""Loading: what is sound is merged and versioned, what is broken is refused with every fault."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hub.errors import RegistryRefused
from hub.ports import Directory, Registry
from hub.schemas.terms import AppealKind
from registry import FixedRegistry, LoadedDirectory, ReloadingRegistry, load
from registry import source as source_module
from tests.registry.builders import ADAPTERS, LVIV, LVIV_DISTRICT, LVIV_OBLAST, SOUND, faults, write

DAY = date(2025, 6, 2)
APPLICATION = AppealKind.APPLICATION


def test_directory_answers_as_the_port_says(tmp_path: Path) -> None:
    """A loaded folder implements ``Directory``, and the registries implement ``Registry``."""
    directory: Directory = load(write(tmp_path, a=SOUND), ADAPTERS)
    fixed: Registry = FixedRegistry(load(tmp_path, ADAPTERS))
    reloading: Registry = ReloadingRegistry(tmp_path, ADAPTERS)
    assert fixed.current().version == reloading.current().version == directory.version
    city = directory.authority("04055896")
    assert city is not None
    assert city.name == "Львівська міська рада"
    assert directory.channel("04055896.rest") == (city, city.channels[0])
    assert directory.competent("utilities", LVIV, APPLICATION, DAY) == (city,)
    assert directory.competent("utilities", LVIV_OBLAST, APPLICATION, DAY) == ()
    assert directory.competent("*", LVIV, APPLICATION, DAY) == ()
    assert directory.ancestry(LVIV) == (LVIV, LVIV_DISTRICT, LVIV_OBLAST, "UA")
    heating = directory.topic("utilities.heating")
    assert heating is not None
    assert heating.parent == "utilities"
    assert [stage.stage for stage in directory.stages()] == [1]
    assert directory.keys("04055896") == directory.keys("99999999") == ()
    assert directory.authority("99999999") is None
    assert directory.channel("x") is None
    assert directory.territory("UA0") is None


def test_competence_holds_by_kind_and_time_and_in_order_of_code(tmp_path: Path) -> None:
    """Only competences and authorities in force count, only for their kinds of appeal, each authority once."""
    write(
        tmp_path,
        a="""
        authorities:
          - {code: "20000002", name: Б, kind: other, territory: UA, competences: [{topics: ["*"]}, {topics: ["*"]}]}
          - code: "20000001"
            name: А
            kind: other
            territory: UA
            valid_to: 2025-06-02
            competences: [{topics: ["*"]}]
          - {code: "20000000", name: В, kind: other, territory: UA, competences: [{topics: ["*"], kinds: [complaint]}]}
        """,
    )
    directory = load(tmp_path, ADAPTERS)

    def codes(kind: AppealKind, day: date) -> list[str]:
        return [authority.code for authority in directory.competent("*", "UA", kind, day)]

    assert codes(APPLICATION, DAY) == ["20000002"]
    assert codes(APPLICATION, date(2025, 6, 1)) == ["20000001", "20000002"]
    assert codes(AppealKind.COMPLAINT, DAY) == ["20000000", "20000002"]


def test_version_is_the_content_alone(tmp_path: Path) -> None:
    """Other file names, comments, order of entries and keys, spelled-out defaults: same version; content: another."""
    one = load(write(tmp_path / "one", a=SOUND), ADAPTERS).version
    parts = SOUND.replace("kind: cabinet", "competences: []  # none\n    kind: cabinet").partition("authorities:")
    split = write(tmp_path / "two", z__deep=parts[0] + "# a comment\n", b="authorities:" + parts[2])
    assert load(split, ADAPTERS).version == one
    assert len(one) == 16
    other = load(write(tmp_path / "three", a=SOUND.replace("Тепло", "Опалення")), ADAPTERS).version
    assert other != one


def test_version_covers_the_table_of_territories(tmp_path: Path) -> None:
    """A registry with a table of its own is another version."""
    write(tmp_path, a='authorities: [{code: "00000003", name: К, kind: cabinet}]')
    shipped = load(tmp_path, ADAPTERS)
    (tmp_path / "territories.csv").write_text(f"code;level;name;parent\n{LVIV_OBLAST};O;Львівська;\n", encoding="utf-8")
    own = load(tmp_path, ADAPTERS)
    assert own.version != shipped.version
    assert own.ancestry(LVIV_OBLAST) == (LVIV_OBLAST, "UA")
    assert len(own.territories) == 1


def test_channels_and_keys_may_stand_apart(tmp_path: Path) -> None:
    """``channels:`` and ``keys:`` of another file are added after the authority's own, in order."""
    pem = json.dumps(_pem(ec.generate_private_key(ec.SECP256R1())))
    write(
        tmp_path,
        a=SOUND,
        b=f"""
        channels:
          - authority: "04055896"
            channel: {{id: second, adapter: rest, settings: {{url: "https://second.example/"}}}}
          - authority: "00000003"
            channel: {{id: first, adapter: rest, settings: {{url: "https://first.example/"}}}}
        keys:
          - authority: "04055896"
            key: {{kid: k1, valid_from: "2025-01-01T00:00:00Z", pem: {pem}}}
        """,
    )
    directory = load(tmp_path, ADAPTERS)
    city = directory.authority("04055896")
    assert city is not None
    assert [channel.id for channel in city.channels] == ["04055896.rest", "second"]
    entry = directory.channel("second")
    assert entry is not None
    assert entry[0] is city
    assert [key.kid for key in directory.keys("04055896")] == ["k1"]
    assert directory.keys("04055896")[0].valid_at(datetime(2025, 1, 1, tzinfo=UTC))


def test_every_fault_is_told_at_once_with_file_line_and_path(tmp_path: Path) -> None:
    """Faults of syntax, of single entries and among entries of all files come in one refusal, in order of place."""
    write(
        tmp_path,
        a="""
        authorities:
          - code: 00032106
            name: Банк
            kind: bank
          - code: "20000001"
            name: А
            kind: central
            superior: "29999999"
            surprise: 1
          - code: "20000002"
            kind: central
            competences:
              - topics: [nothing]
        """,
        b="""
        authorities:
          - {code: 20000003, name: В, kind: central}
        oddities: []
        """,
        c="a: [",
    )
    assert faults(tmp_path) == [
        ("a.yaml:3#/authorities/0/code", "registry.yaml.quote"),
        ("a.yaml:5#/authorities/0/kind", "registry.enum"),
        ("a.yaml:10#/authorities/1/surprise", "registry.unknown_key"),
        ("a.yaml:11#/authorities/2/name", "registry.missing"),
        ("b.yaml:3#/authorities/0/code", "registry.yaml.quote"),
        ("b.yaml:4#/oddities", "registry.unknown_key"),
        ("c.yaml:2#/a/0", "registry.yaml.syntax"),
    ]


_BODY = "name: А, kind: central"
_CHANNEL = 'id: x, adapter: rest, settings: {url: "https://x.example/"}'


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        (f'authorities: [{{code: "1", {_BODY}}}]', "/authorities/0/code", "registry.form"),
        (f'authorities: [{{code: "20000001", {_BODY}, superior: "2"}}]', "/authorities/0/superior", "registry.form"),
        (
            f'authorities: [{{code: "20000001", {_BODY}}}, {{code: "20000001", {_BODY}}}]',
            "/authorities/1/code",
            "registry.authority.duplicate",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, superior: "20000002"}}]',
            "/authorities/0/superior",
            "registry.superior.unknown",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, successor: "20000002"}}]',
            "/authorities/0/successor",
            "registry.successor.unknown",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, superior: "20000001"}}]',
            "/authorities/0/superior",
            "registry.superior.cycle",
        ),
        (
            f'authorities: [{{code: "20000002", {_BODY}, superior: "20000001"}},'
            f' {{code: "20000001", {_BODY}, superior: "20000002"}}]',
            "/authorities/1/superior",
            "registry.superior.cycle",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, successor: "20000001"}}]',
            "/authorities/0/successor",
            "registry.successor.cycle",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, territory: UA99000000000000000}}]',
            "/authorities/0/territory",
            "registry.territory.unknown",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, territory: UA46060250010015970}}]',
            "/authorities/0/territory",
            "registry.territory.unknown",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, competences: [{{topics: [x], territories: [UA]}}]}}]',
            "/authorities/0/competences/0/topics/0",
            "registry.topic.unknown",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, competences: [{{topics: [Х]}}]}}]',
            "/authorities/0/competences/0/topics/0",
            "registry.form",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, competences: [{{topics: ["*"]}}]}}]',
            "/authorities/0/competences/0",
            "registry.competence.nowhere",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, valid_from: 2025-01-02, valid_to: 2025-01-01}}]',
            "/authorities/0",
            "registry.validity",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, channels: [{{id: x, adapter: fax}}]}}]',
            "/authorities/0/channels/0/adapter",
            "registry.channel.adapter",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, channels: [{{{_CHANNEL}, dialect: latin}}]}}]',
            "/authorities/0/channels/0/dialect",
            "registry.channel.dialect",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, channels: [{{id: x, adapter: rest}}]}}]',
            "/authorities/0/channels/0/settings/url",
            "registry.missing",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, channels: [{{id: x, adapter: rest, settings: {{url: 5}}}}]}}]',
            "/authorities/0/channels/0/settings/url",
            "registry.yaml.quote",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, channels: [{{{_CHANNEL}}},'
            ' {id: x, adapter: rest, settings: {url: "https://y.example/"}}]}]',
            "/authorities/0/channels/1/id",
            "registry.channel.duplicate",
        ),
        (
            f'authorities: [{{code: "20000001", {_BODY}, channels: [{{{_CHANNEL}}},'
            ' {id: y, adapter: rest, settings: {url: "https://x.example/"}}]}]',
            "/authorities/0/channels/1",
            "registry.channel.same",
        ),
        (
            f'channels: [{{authority: "20000001", channel: {{{_CHANNEL}}}}}]',
            "/channels/0/authority",
            "registry.authority.unknown",
        ),
        ("topics: [{code: a, name: А}, {code: a, name: Б}]", "/topics/1/code", "registry.topic.duplicate"),
        ("topics: [{code: a, name: А, parent: b}]", "/topics/0/parent", "registry.topic.unknown"),
        (
            "topics: [{code: a, name: А, parent: b}, {code: b, name: Б, parent: a}]",
            "/topics/0/parent",
            "registry.parent.cycle",
        ),
        ("stages: [{stage: 1, from_day: 1.1.2016, channels: [phone], routed: [cabinet]}]", "/stages/0/from_day", ""),
        ("topics: {a: b}", "/topics", "registry.list_type"),
        ("topics: [a]", "/topics/0", "registry.model_type"),
        ("[a]", "", "registry.file.shape"),
    ],
)
def test_each_rule_is_kept(text: str, pointer: str, code: str, tmp_path: Path) -> None:
    """Each rule that an entry can break gives exactly one fault, at its own place."""
    found = faults(write(tmp_path, a=text))
    assert [pointer_of.partition("#")[2] for pointer_of, _ in found] == [pointer]
    assert found[0][1].startswith(code or "registry.date")


def test_one_way_may_follow_another_in_time(tmp_path: Path) -> None:
    """Two channels that go the same way are allowed if their times do not meet, and between two authorities."""
    channel = 'adapter: rest, settings: {url: "https://x.example/"}'
    write(
        tmp_path,
        a=f"""
        authorities:
          - code: "20000001"
            name: А
            kind: central
            channels:
              - {{id: a, {channel}, valid_to: 2025-01-01}}
              - {{id: b, {channel}, valid_from: 2025-01-01}}
          - {{code: "20000002", name: Б, kind: central, channels: [{{id: c, {channel}}}]}}
        """,
    )
    assert load(tmp_path, ADAPTERS).channel("b") is not None


def test_broken_entry_does_not_make_others_look_broken(tmp_path: Path) -> None:
    """Who names an authority that is broken itself is not told that it does not exist."""
    write(
        tmp_path,
        a='authorities: [{code: "20000001", kind: central},'
        ' {code: "20000002", name: Б, kind: central, superior: "20000001"}]',
    )
    assert [code for _, code in faults(tmp_path)] == ["registry.missing"]


def _pem(key: PrivateKeyTypes, *, private: bool = False) -> str:
    if private:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("pem", "algorithm", "word"),
    [
        (_pem(ec.generate_private_key(ec.SECP256R1()), private=True), "ES256", "private"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "ES384", "secp384r1"),
        (_pem(ec.generate_private_key(ec.SECP256K1())), "ES256", "secp256r1"),
        (_pem(ed25519.Ed25519PrivateKey.generate()), "ES256", "secp256r1"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "PS256", "RSA"),
        (_pem(rsa.generate_private_key(65537, 1024)), "RS256", "2048"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "ES256", "neither"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ES256", "neither"),
        ("a key", "ES256", "neither"),
    ],
)
def test_key_must_be_public_and_fit_its_algorithm(pem: str, algorithm: str, word: str, tmp_path: Path) -> None:
    """Private, weak, broken or unfit keys are refused in words that never quote the key."""
    body = pem.replace("\n", "\n              ")
    write(
        tmp_path,
        a=f"""
        authorities:
          - code: "20000001"
            name: А
            kind: central
            keys:
              - kid: k
                algorithm: {algorithm}
                valid_from: 2025-01-01T00:00:00Z
                pem: |
                  PEM
        """.replace("PEM\n", body.replace("\n              ", "\n                  ") + "\n"),
    )
    with pytest.raises(RegistryRefused) as refused:
        load(tmp_path, ADAPTERS)
    (fault,) = refused.value.faults
    assert fault.code == "registry.key.pem"
    assert word in fault.message
    assert pem.splitlines()[-2 if "\n" in pem.strip() else -1][:12] not in fault.message.replace("a key", "")


def test_certificate_and_rsa_keys_are_taken_and_a_kid_only_once(tmp_path: Path) -> None:
    """RSA of 2048 bits passes for PS256; a kid that stands twice, or an empty span of time, is refused."""
    pem = _pem(rsa.generate_private_key(65537, 2048))
    key = f'kid: k, algorithm: PS256, valid_from: "2025-01-01T00:00:00Z", pem: {json.dumps(pem)}'
    write(tmp_path, a=f'authorities: [{{code: "20000001", {_BODY}, keys: [{{{key}}}]}}]')
    assert len(load(tmp_path, ADAPTERS).keys("20000001")) == 1
    write(tmp_path, b=f'keys: [{{authority: "20000001", key: {{{key}, valid_to: "2025-01-01T00:00:00Z"}}}}]')
    assert [code for _, code in faults(tmp_path)] == ["registry.key.duplicate", "registry.validity"]


def test_folder_that_cannot_be_read_or_is_empty_is_refused(tmp_path: Path) -> None:
    """No folder, no file, not UTF-8, a hidden file only: refused, never an empty registry by mistake."""
    assert faults(tmp_path / "absent")[0][1] == "registry.folder.unreadable"
    write(tmp_path, **{".hidden": "nonsense: ["})
    assert faults(tmp_path) == [(".:1", "registry.folder.empty")]
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    assert faults(tmp_path) == [("a.yaml:1", "registry.file.encoding")]


def test_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal to look into the folder becomes a fault, not another error."""

    def forbidden(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("registry.loader.territory_file", forbidden)
    monkeypatch.setattr("registry.loader.yaml_files", forbidden)
    assert {code for _, code in faults(tmp_path)} == {"registry.folder.unreadable"}


def test_lone_surrogate_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An escaped half of a character never reaches the model nor the hash, whichever YAML parser is there."""
    for loader in (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        monkeypatch.setattr("registry.yamlfile._Loader", loader)
        write(tmp_path, a='topics: [{code: a, name: "\\uD800"}]')
        assert len(faults(tmp_path)) == 1


def test_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too large is refused before it is read."""
    monkeypatch.setattr("registry.loader.MAX_FILE_BYTES", 10)
    assert source_module.MAX_FILE_BYTES > 10
    assert faults(write(tmp_path, a=SOUND)) == [("a.yaml:1", "registry.file.too_large")]


def test_broken_table_is_told_beside_the_other_faults(tmp_path: Path) -> None:
    """Faults of the folder's own table of territories and of its YAML come in one refusal."""
    (tmp_path / "territories.csv").write_text("code;level;name;parent\nUA1;O;x;\n", encoding="utf-8")
    found = faults(write(tmp_path, a="topics: [a]"))
    assert found == [("territories.csv:2", "registry.territory.row"), ("a.yaml:1#/topics/0", "registry.model_type")]


def test_messages_never_carry_the_value(tmp_path: Path) -> None:
    """A secret typed in the wrong place does not come back in the refusal."""
    write(
        tmp_path,
        a="""
        authorities:
          - code: tajemnycja1
            name: А
            kind: tajemnycja2
            channels: [{id: x, adapter: rest, settings: {url: 1, tags: tajemnycja3}}]
        """,
    )
    with pytest.raises(RegistryRefused) as refused:
        load(tmp_path, ADAPTERS)
    assert "tajemnycja" not in str(refused.value)
    assert len(refused.value.faults) == 2


def test_directory_made_from_values_needs_no_files(tmp_path: Path) -> None:
    """The same index can be made from values; it keeps the version of the same content."""
    loaded = load(write(tmp_path, a=SOUND), ADAPTERS)
    made = LoadedDirectory(
        authorities=list(loaded.authorities())[::-1],
        topics=loaded.topics(),
        stages=loaded.stages(),
        territories=loaded.territories,
    )
    assert made.version == loaded.version
    assert not dataclasses.is_dataclass(made)


def test_stage_that_lets_be_addressed_whom_it_does_not_route_to_is_refused(tmp_path: Path) -> None:
    """Each kind under ``addressed`` must be under ``routed`` for the same channels, in this part or an earlier one."""
    write(
        tmp_path,
        a="""
        stages:
          - {stage: 1, from_day: 2016-01-01, channels: [phone], routed: [cabinet, central]}
          - {stage: 2, from_day: 2017-01-01, channels: [phone, web], addressed: [cabinet], routed: [territorial]}
          - {stage: 3, from_day: 2018-01-01, channels: [phone], addressed: [central]}
          - {stage: 4, from_day: 2019-01-01, channels: [phone]}
        """,
    )
    assert faults(tmp_path) == [
        ("a.yaml:4#/stages/1/addressed/0", "registry.stage.addressed"),
        ("a.yaml:6#/stages/3", "registry.opens_nothing"),
    ]


def test_listed_body_gives_way_to_a_reviewed_entry(tmp_path: Path) -> None:
    """An official list may stand beside reviewed files in any order: the reviewed entry of the same code counts."""
    write(
        tmp_path,
        a="""
        listed:
          - {code: "00000003", name: Зі списку, kind: other}
          - {code: "20000001", name: Лише у списку, kind: other}
        """,
        b=SOUND,
    )
    directory = load(tmp_path, ADAPTERS)
    assert [a.name for a in directory.authorities()][:2] == ["Кабінет Міністрів України", "Львівська міська рада"]
    assert directory.authority("20000001") is not None
    twice = 'listed: [{code: "20000001", name: Б, kind: other}]'
    assert faults(write(tmp_path, c=twice)) == [("c.yaml:1#/listed/0/code", "registry.authority.duplicate")]


AWAITED = "awaited: [{kind: local_self_government, territory: %s, name: Рада, competences: [{topics: [utilities]}]}]"


def test_body_that_waits_for_its_code_is_competent_and_has_none(tmp_path: Path) -> None:
    """It is found by competence and known by kind and territory; no code finds it, and it changes the version."""
    other = "UA46060230000093092"
    before = load(write(tmp_path, a=SOUND), ADAPTERS).version
    directory = load(write(tmp_path, b=AWAITED % other), ADAPTERS)
    (body,) = directory.competent("utilities", other, APPLICATION, DAY)
    assert body.code == f"local_self_government@{other}"
    assert directory.authority(body.code) is None
    assert list(directory.awaited()) == [body]
    assert directory.version != before


def test_body_that_has_come_or_stands_twice_is_refused(tmp_path: Path) -> None:
    """An awaited body beside an authority of its kind and territory, a repeat, and unknown references are faults."""
    write(tmp_path, a=SOUND, b=AWAITED % LVIV, c=AWAITED % LVIV)
    assert [code for _, code in faults(tmp_path)] == ["registry.awaited.come", "registry.awaited.duplicate"]
    broken = 'awaited: [{kind: other, territory: UA99000000000000000, name: Б, superior: "29999999"}]'
    write(tmp_path, b=broken, c="topics: []")
    assert {code for _, code in faults(tmp_path)} == {"registry.superior.unknown", "registry.territory.unknown"}
