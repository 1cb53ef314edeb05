"""The table of territories: what a code stands for and how it finds its way up."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hub.errors import RegistryRefused
from hub.schemas.directory import Territory, TerritoryLevel
from registry import territories
from registry.territories import TerritoryTable, Unit
from tests.pace import within
from tests.registry.builders import KYIV, LVIV, LVIV_DISTRICT, LVIV_OBLAST

HEAD = "code;level;name;parent\n"
SMALL = (
    f"{HEAD}{LVIV_OBLAST};O;Львівська;\n"
    f"{LVIV_DISTRICT};P;Львівський;{LVIV_OBLAST}\n"
    f"{LVIV};H;Львівська;{LVIV_DISTRICT}\n"
)


def test_shipped_table_has_all_units_down_to_communities_and_loads_fast() -> None:
    """25 oblasts, 2 special cities, 136 districts, 1,772 communities, 14 districts of the special cities; in 100 ms."""
    with within(0.1):
        table = territories.shipped()
    levels = [unit.level for unit in table.units()]
    assert {level: levels.count(level) for level in set(levels)} == {"O": 25, "K": 2, "P": 136, "H": 1_772, "B": 14}
    assert not table.complete
    assert all(unit.name == unit.name.strip() for unit in table.units())


def test_settlement_below_the_table_resolves_to_its_community() -> None:
    """A settlement and a city district find their community by the digits of their code."""
    table = territories.shipped()
    city = "UA46060250010015970"
    assert table.resolve(city) == LVIV
    assert table.ancestry(city) == (LVIV, LVIV_DISTRICT, LVIV_OBLAST, "UA")
    assert table.territory(city) == Territory(
        code=LVIV, level=TerritoryLevel.COMMUNITY, name="Львівська", parent=LVIV_DISTRICT
    )


def test_units_outside_any_community_resolve_to_what_there_is() -> None:
    """A city district of Kyiv stands under Kyiv; Prypiat, which has no district and community, under its oblast."""
    table = territories.shipped()
    assert table.ancestry("UA80000000000210193") == ("UA80000000000210193", KYIV, "UA")
    assert table.ancestry("UA32000000010085013") == ("UA32000000000030281", "UA")


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "UA46060250000000000",  # a community's place, but not its last digits
        "UA99000000000000000",
        "UA99010010010000000",  # no such oblast
        "UA46990250010015970",  # no such district
        "UA46069990010015970",  # no such community
        "UA4606025001001597",
        "ua46060250010015970",
        "UA٤6060250010015970",
        "UA46060250010015970\n",
        "",
    ],
)
def test_code_that_stands_for_nothing_is_not_known(code: str) -> None:
    """A wrong code never becomes the nearest unit."""
    table = territories.shipped()
    assert table.resolve(code) is None
    assert table.territory(code) is None
    assert table.ancestry(code) == ()


def test_whole_country_is_its_own_ancestry() -> None:
    """``UA`` is known to ancestry, but is no unit of the codifier."""
    table = territories.shipped()
    assert table.ancestry("UA") == ("UA",)
    assert table.territory("UA") is None


def test_table_with_settlements_is_complete() -> None:
    """Where settlements are in the table, one that is not in it does not exist."""
    village = "UA46060250030012345"
    table = TerritoryTable([*territories.parse(SMALL.encode(), "t").units(), Unit(village, "C", "Рудно", LVIV)])
    assert table.complete
    assert table.ancestry(village) == (village, LVIV, LVIV_DISTRICT, LVIV_OBLAST, "UA")
    assert table.ancestry("UA46060250010015970") == ()


def test_table_is_read_from_plain_and_packed_files(tmp_path: Path) -> None:
    """``territories.csv`` and ``.csv.gz`` with the same rows have the same digest; CRLF and BOM do no harm."""
    plain, packed = tmp_path / "territories.csv", tmp_path / "territories.csv.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    packed.write_bytes(gzip.compress(SMALL.encode()))
    assert territories.read(plain).digest() == territories.read(packed).digest()
    assert len(territories.read(plain)) == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "registry.file.header"),
        ("a;b;c;d\n", "registry.file.header"),
        (f"{HEAD}UA1;O;x;\n", "registry.territory.row"),
        (f"{HEAD}{LVIV};H;x\n", "registry.territory.row"),
        (f"{HEAD}{LVIV};Z;x;\n", "registry.territory.row"),
        (f"{HEAD}{LVIV};H; x;\n", "registry.territory.row"),
        (f"{HEAD}{LVIV};H;;\n", "registry.territory.row"),
        (f"{HEAD}{LVIV};H;x;UA1\n", "registry.territory.row"),
        (f"{HEAD}{LVIV};H;x;\n{LVIV};H;x;\n", "registry.territory.row"),
        (f"{HEAD}{LVIV};H;x;{LVIV_OBLAST}\n", "registry.territory.parent"),
        (f"{HEAD}{LVIV};H;x;{LVIV}\n", "registry.territory.cycle"),
        (f'{HEAD}"{LVIV}', "registry.file.csv"),
    ],
)
def test_broken_table_is_refused(text: str, code: str) -> None:
    """Every kind of broken row gives a fault with its line."""
    with pytest.raises(RegistryRefused) as refused:
        territories.parse(text.encode(), "t.csv")
    assert [fault.code for fault in refused.value.faults] == [code]
    assert refused.value.faults[0].pointer.startswith("t.csv:")


def test_packed_file_is_limited_and_must_be_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gzip bomb is not unpacked beyond the limit; a cut or false gzip file, or other bytes, are refused."""
    monkeypatch.setattr(territories, "MAX_BYTES", 1_000)
    packed = tmp_path / "territories.csv.gz"
    cases = {
        gzip.compress(b"0" * 10_000_000): "registry.file.too_large",
        gzip.compress(SMALL.encode())[:-20]: "registry.file.gzip",
        b"PK": "registry.file.gzip",
        gzip.compress(b"\xff"): "registry.file.encoding",
    }
    for raw, code in cases.items():
        packed.write_bytes(raw)
        with pytest.raises(RegistryRefused) as refused:
            territories.read(packed)
        assert refused.value.faults[0].code == code
    with pytest.raises(RegistryRefused):
        territories.read(tmp_path / "absent.csv")
