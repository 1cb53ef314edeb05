"""The importers: every row of the official lists is accounted for, and what they write can be loaded."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.errors import InvalidInput, TooLarge
from hub.schemas.directory import AuthorityKind
from registry import derive, drafting, import_katottg, import_sev, kinds, load, official, starter, territories
from registry.import_sev import check_digit_holds
from tests.conftest import leave_out, vectors_root
from tests.pace import within
from tests.registry.builders import ADAPTERS

SEV_HEAD = ";".join(import_sev.HEADER) + "\r\n"
KATOTTG_HEAD = ";".join(import_katottg.HEADER) + "\r\n"


def official_file(name: str) -> Path:
    """A real official list, beside the vectors."""
    path = vectors_root().parent / "data" / name
    if not path.is_file():
        leave_out(f"the official list {name} is absent beside HUB_VECTORS")
    return path


@pytest.mark.slow
def test_every_participant_is_brought_in(tmp_path: Path) -> None:
    """All 3,823 bodies are written and load; what is odd is what was measured by others in the list's description."""
    with within(5):
        report = import_sev.run(official_file("sev-participants.csv"), tmp_path)
    assert (report.rows, report.imported_rows, report.refused_rows) == (3_823, 3_823, 0)
    assert report.clean_rows + report.odd_rows == report.rows
    found = {code: len(lines) for code, lines in report.odd.items()}
    # 00000001, 00000003, 00000005 are service codes; 040579400 is the one sub-unit whose body's code does not hold.
    assert found["check_digit"] == 3 + 1
    assert (found["subunit_9"], found["subunit_10"]) == (663, 207)
    assert found["parent_absent"] == 663 - 256
    assert (found["blank_at_edge"], found["access_empty"]) == (870, 2)
    assert (found["short_name_shared"], found["name_shared"]) == (49, 4)
    directory = load(tmp_path, ADAPTERS)
    assert len(list(directory.authorities())) == 3_823
    bank, part = directory.authority("00032106"), directory.authority("0291001922")
    assert bank is not None
    assert (bank.name, bank.kind) == ("Національний банк України", AuthorityKind.NATIONAL_BANK)
    assert part is not None
    assert part.superior == "02910019"


@pytest.mark.slow
def test_every_territory_is_brought_in(tmp_path: Path) -> None:
    """All 31,748 units are written and load with their parents; names are trimmed, repeated codes understood."""
    with within(5):
        report = import_katottg.run(official_file("katottg.csv"), tmp_path)
    assert (report.rows, report.imported_rows, report.refused_rows) == (31_748, 31_748, 0)
    found = {code: len(lines) for code, lines in report.odd.items()}
    assert found == {"blank_at_edge": 319, "code_on_several_levels": 16, "community_name_shared": 350}
    table = territories.read(tmp_path / import_katottg.OUT_FILE)
    assert len(table) == 31_748
    assert table.complete
    assert table.ancestry("UA32000000010085013") == ("UA32000000010085013", "UA32000000000030281", "UA")


@pytest.mark.slow
def test_shipped_table_leads_every_real_unit_to_its_real_parents() -> None:
    """For each of the 31,748 units, the compact table gives the same way up as the codifier, from its level on."""
    units, _ = import_katottg.read(official_file("katottg.csv"))
    full, compact = territories.TerritoryTable(units), territories.shipped()
    for unit in units:
        held = tuple(code for code in full.ancestry(unit.code) if code == "UA" or code in compact)
        assert compact.ancestry(unit.code) == held


@pytest.mark.slow
def test_shipped_data_is_what_the_lists_give() -> None:
    """The project's own tables are derived, not edited: deriving them again gives the same bytes."""
    bodies, _ = import_sev.read(official_file("sev-participants.csv"))
    units, _ = import_katottg.read(official_file("katottg.csv"))
    made = {
        "bodies.csv.gz": derive.bodies_table(bodies),
        "seats.csv.gz": derive.seats_table(units),
        "territories.csv.gz": derive.compact(units),
    }
    for name, content in made.items():
        assert gzip.decompress((derive.DATA / name).read_bytes()) == content


def test_rows_of_participants_that_cannot_be_taken_are_refused_one_by_one(tmp_path: Path) -> None:
    """Wrong fields, codes, repeats and names are refused with their line; the rest is taken, and all add up."""
    rows = [
        "00032106;НБУ;Національний банк України;01.01.2015;АСКОД ;Так",
        "0003210;x;x;01.01.2015;;Ні",
        "00032106;x;x;01.01.2015;;Ні",
        "20000000;x;;01.01.2015;;Ні",
        "20000001;x;x",
        "20000002;x;x\u0007y;01.01.2015;;Ні",
        "٠٠٠٣٢١٠٦;x;x;01.01.2015;;Ні",
        '003210612;"Ради ""Мiська""; відділ";Відділ;31.02.2015;Веб;Ні',
    ]
    path = tmp_path / "list.csv"
    path.write_bytes((SEV_HEAD + "\r\n".join(rows) + "\r\n").encode())
    bodies, report = import_sev.read(path)
    assert report.refused == {"code": [3, 8], "code_twice": [4], "name": [5, 7], "fields": [6]}
    assert [body.code for body in bodies] == ["00032106", "003210612"]
    assert bodies[0].connected == date(2015, 1, 1)
    assert (bodies[0].access, bodies[0].in_approval) == ("АСКОД", True)
    assert bodies[1].short_name == 'Ради "Мiська"; відділ'
    assert {code for code, lines in report.odd.items() if 9 in lines} >= {
        "date_unreadable",
        "subunit_9",
        "latin_letter",
    }
    assert report.rows == report.clean_rows + report.odd_rows + report.refused_rows == 8
    import_sev.run(path, tmp_path / "out", partial=True)
    assert load(tmp_path / "out", ADAPTERS).authority("003210612") is not None


def test_rows_of_the_codifier_that_cannot_be_taken_are_refused_one_by_one(tmp_path: Path) -> None:
    """Wrong fields, codes, categories, parents and positions are refused with their line; all add up."""
    oblast, district = "UA46000000000026241", "UA46060000000042587"
    rows = [
        f"{oblast};;;;;O;Львівська ",
        f"{oblast};;;;;O;Львівська",
        f"{oblast};{district};;;;P;Львівський",
        f"{oblast};UA46080000000042587;;;;Q;x",
        f"{oblast};UA46080000000042587;;;;O;x",
        f"{oblast};UA4608;;;;P;x",
        ";UA46080000000042587;;;;P;x",
        f"{oblast};UA07080000000042587;;;;P;x",
        f"{oblast};UA46080000000042587;UA46080010000042587;;;H;x",
        f"{oblast};UA46080000000042587;;;;P; ",
        f"{oblast};x",
    ]
    path = tmp_path / "codifier.csv"
    path.write_bytes((KATOTTG_HEAD + "\r\n".join(rows) + "\r\n").encode())
    units, report = import_katottg.read(path)
    assert [unit.name for unit in units] == ["Львівська", "Львівський"]
    assert report.odd == {"blank_at_edge": [2]}
    assert report.refused["code_twice"] == [3]
    assert report.refused["category"] == [5, 6]
    assert report.refused["code"] == [7, 8]
    assert report.refused["position"] == [9]
    assert report.refused["parent_absent"] == [10]
    assert report.refused["name"] == [11]
    assert report.refused["fields"] == [12]
    assert report.rows == report.clean_rows + report.odd_rows + report.refused_rows == 11


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "import.header"),
        (b"a;b\n", "import.header"),
        (b"\xff", "import.encoding"),
        ((SEV_HEAD + '"00032106').encode(), "import.csv"),
    ],
)
def test_another_file_is_refused_whole(raw: bytes, code: str, tmp_path: Path) -> None:
    """A file that is not the list gives one clear fault and writes nothing."""
    path = tmp_path / "list.csv"
    path.write_bytes(raw)
    with pytest.raises(InvalidInput) as refused:
        import_sev.run(path, tmp_path / "out")
    assert [fault.code for fault in refused.value.faults] == [code]
    assert not (tmp_path / "out").exists()


def test_file_that_is_absent_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read beyond the limit."""
    with pytest.raises(InvalidInput):
        import_sev.read(tmp_path / "absent.csv")
    monkeypatch.setattr(official, "MAX_BYTES", 3)
    (tmp_path / "list.csv").write_text(SEV_HEAD, encoding="utf-8")
    with pytest.raises(TooLarge):
        import_sev.read(tmp_path / "list.csv")


def test_earlier_import_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    """A file that people may have edited since is not written over by accident."""
    path = tmp_path / "list.csv"
    path.write_text(SEV_HEAD + "00032106;;Банк;01.01.2015;;Ні\n", encoding="utf-8")
    import_sev.run(path, tmp_path)
    with pytest.raises(InvalidInput) as refused:
        import_sev.run(path, tmp_path)
    assert refused.value.faults[0].code == "import.exists"
    import_sev.run(path, tmp_path, overwrite=True)
    assert [p.name for p in (tmp_path / "authorities").iterdir()] == ["sev-participants.yaml"]


GOOD = {
    import_sev: (SEV_HEAD, "00032106;;Банк;01.01.2015;;Ні", "20000001;x;x"),
    import_katottg: (KATOTTG_HEAD, "UA46000000000026241;;;;;O;Львівська", "UA46000000000026242;;;;;Ж;Інша"),
}


@pytest.mark.parametrize("importer", GOOD, ids=lambda each: each.__name__)
@pytest.mark.parametrize("before", [True, False])
def test_a_list_with_refused_rows_leaves_the_good_file_in_force(importer: Any, before: bool, tmp_path: Path) -> None:
    """Refused rows write nothing, over a good file or for the first time; ``partial`` writes the others."""
    head, good, bad = GOOD[importer]
    path, made = tmp_path / "list.csv", tmp_path / "out" / importer.OUT_FILE
    if before:
        path.write_text(head + good + "\r\n", "utf-8", newline="")
        assert importer.run(path, tmp_path / "out").written
    stood = made.read_bytes() if before else None
    path.write_text(head + good + "\r\n" + bad + "\r\n", "utf-8", newline="")
    report = importer.run(path, tmp_path / "out", overwrite=True)
    assert (report.refused_rows, report.written) == (1, False)
    assert (made.read_bytes() if made.exists() else None) == stood
    assert importer.run(path, tmp_path / "out", overwrite=True, partial=True).written
    assert made.exists()


def test_a_draft_is_not_made_of_a_list_with_refused_rows(tmp_path: Path) -> None:
    """A newer list that would lose bodies in silence is refused, with the line of each."""
    path = tmp_path / "list.csv"
    path.write_text(SEV_HEAD + "20000001;x;x\r\n", "utf-8", newline="")
    with pytest.raises(InvalidInput) as refused:
        drafting.draft(tmp_path / "out", sev=path)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("list.csv:2", "import.refused")]


@pytest.mark.slow
def test_list_of_participants_stands_beside_the_starter(tmp_path: Path) -> None:
    """The starter's bodies keep what was reviewed; the rest of the list is there too, whichever came first."""
    import_sev.run(official_file("sev-participants.csv"), tmp_path)
    starter.write(tmp_path)
    directory = load(tmp_path, ADAPTERS)
    assert len(list(directory.authorities())) == 3_823
    city, other = directory.authority("04055896"), directory.authority("04372448")
    assert city is not None
    assert city.competences
    assert other is not None
    assert not other.competences


@pytest.mark.parametrize(
    ("code", "holds"),
    [("00032106", True), ("00032684", True), ("36521731", True), ("43220851", True), ("00000003", False)],
)
def test_check_digit_of_real_codes(code: str, holds: bool) -> None:
    """The algorithm holds for real codes in both ranges and fails for a service code."""
    assert check_digit_holds(code) is holds


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Кабінет Міністрів України", AuthorityKind.CABINET),
        ("Центр надання адміністративних послуг Зборівської міської ради", AuthorityKind.SERVICE_CENTRE),
        ("Виконавчий комітет Стрийської міської ради", AuthorityKind.LOCAL_SELF_GOVERNMENT),
        ("Шполянська мiська рада", AuthorityKind.LOCAL_SELF_GOVERNMENT),
        ("Стрийська районна державна адміністрація", AuthorityKind.LOCAL_ADMINISTRATION),
        ("Управління освіти і науки Чернігівської ОДА", AuthorityKind.LOCAL_ADMINISTRATION),
        ("Управління Державної міграційної служби України в Чернівецькій області", AuthorityKind.TERRITORIAL),
        ("Державна екологічна інспекція у Львівській області", AuthorityKind.TERRITORIAL),
        ("Державна екологічна інспекція України", AuthorityKind.CENTRAL),
        ("Державна служба України з питань праці", AuthorityKind.CENTRAL),
        ("Дарницька окружна прокуратура міста Києва", AuthorityKind.PROSECUTION),
        ("Головне управління Національної поліції в Харківській області", AuthorityKind.LAW_ENFORCEMENT),
        ('ДП "ПІДПРИЄМСТВО ДКВС УКРАЇНИ (№64)"', AuthorityKind.STATE_ENTERPRISE),
        ("Державна установа Урядовий контактний центр", AuthorityKind.CONTACT_CENTRE),
        ("Верховний суд", AuthorityKind.COURT),
        ("Троїцький районний центр зайнятості", AuthorityKind.OTHER),
    ],
)
def test_kind_is_guessed_from_the_name(name: str, kind: AuthorityKind) -> None:
    """The documented rules give the kind; a name that no rule fits is ``other``, never a wrong guess by default."""
    assert kinds.guess(name) is kind
