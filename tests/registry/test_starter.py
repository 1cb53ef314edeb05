"""The starter registry: sound, small, and true to the official list."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from hub.errors import ConfigurationError
from hub.router import RoutingRequest, decide
from hub.schemas.directory import AuthorityKind
from hub.schemas.terms import AppealChannel, AppealKind
from registry import load, starter
from registry.derive import DATA
from tests.pace import pace
from tests.registry.builders import ADAPTERS, LVIV, write


def bodies() -> dict[str, dict[str, str]]:
    """The shipped list of bodies."""
    text = gzip.decompress((DATA / "bodies.csv.gz").read_bytes()).decode()
    return {row["code"]: row for row in csv.DictReader(io.StringIO(text), delimiter=";")}


def test_starter_loads_and_names_real_bodies(tmp_path: Path) -> None:
    """Each code and name is that of the shipped official list; there are no channels and no keys."""
    starter.write(tmp_path)
    directory = load(tmp_path, ADAPTERS)
    listed = bodies()
    authorities = list(directory.authorities())
    assert 40 <= len(authorities) <= 60
    for authority in authorities:
        assert authority.name == listed[authority.code]["name"]
        assert (authority.short_name or "") == listed[authority.code]["short_name"]
        assert not authority.channels
        assert not authority.keys
    assert directory.authority(starter.FIRST_AUTHORITY) is not None


def test_starter_has_the_19_topics_and_the_stages(tmp_path: Path) -> None:
    """The first level of topics are the 19 groups of classifier 858; the Concept's stages, and one after them."""
    starter.write(tmp_path)
    directory = load(tmp_path, ADAPTERS)
    assert len([topic for topic in directory.topics() if topic.parent is None]) == 19
    assert [stage.stage for stage in directory.stages()] == [1, 1, 2, 2, 3, 3, 4]
    assert set(directory.stages()[-1].routed) == set(AuthorityKind)


def test_shipped_list_of_bodies_is_whole() -> None:
    """3,823 bodies, each with a known kind; a parent is always in the list."""
    listed = bodies()
    assert len(listed) == 3_823
    assert {row["kind"] for row in listed.values()} <= {kind.value for kind in AuthorityKind}
    assert all(not row["parent"] or row["parent"] in listed for row in listed.values())


def test_writing_keeps_what_is_there(tmp_path: Path) -> None:
    """A file that exists is not replaced; a folder that cannot be made is a clear error."""
    write(tmp_path, topics="topics: []")
    assert {path.name for path in starter.write(tmp_path)} == {"authorities.yaml", "stages.yaml", "channels.yaml"}
    assert (tmp_path / "topics.yaml").read_text() == "topics: []"
    with pytest.raises(ConfigurationError):
        starter.write(tmp_path / "topics.yaml" / "below")


def test_with_channels_added_appeals_reach_the_nearest_body(tmp_path: Path) -> None:
    """Heating in Lviv goes to the city council; a complaint about the district prosecutors goes to their superior."""
    starter.write(tmp_path)
    channel = '{authority: "%s", channel: {id: "%s.rest", adapter: rest, settings: {url: "https://%s.example/"}}}'
    codes = ("04055896", "0291001922", "02910019")
    (tmp_path / "channels.yaml").write_text(
        "channels:\n" + "".join(f"  - {channel % (code, code, code)}\n" for code in codes), encoding="utf-8"
    )
    directory = load(tmp_path, ADAPTERS)
    heating = RoutingRequest(
        topics=("utilities.heating",), place=LVIV, kind=AppealKind.APPLICATION, channel=AppealChannel.PHONE
    )
    assert decide(heating, directory, date(2025, 6, 2)).authority == "04055896"
    complaint = RoutingRequest(
        topics=("law-and-order.prosecution",),
        place="UA80000000000210193",
        kind=AppealKind.COMPLAINT,
        channel=AppealChannel.WEB,
        about=("0291001922",),
    )
    decision = decide(complaint, directory, date(2025, 6, 2))
    assert (decision.authority, decision.reason) == ("02910019", "superior_of_accused")


@pytest.mark.slow
def test_starter_loads_in_little_time_and_memory() -> None:
    """A fresh process loads it in under a second of processor time and stays far under the embedded hub's 150 MB."""
    code = (
        "import time, pathlib; from registry import load, starter; begun = time.process_time();"
        "load(pathlib.Path(starter.__file__).parent, {});"
        "secs = time.process_time() - begun; status = pathlib.Path('/proc/self/status').read_text();"
        "print(secs, status.partition('VmHWM:')[2].split()[0])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    secs, kilobytes = out.split()
    assert float(secs) < pace(1)
    assert int(kilobytes) < 80 * 1024
