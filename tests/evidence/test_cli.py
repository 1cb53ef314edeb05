"""``hub evidence export`` and ``verify`` as a person types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.bootstrap import build
from hub.cases.submission import Submission
from hub.cli.evidence import evidence_group
from hub.cli.find import find
from hub.cli.init import make_home
from hub.cli.trace import trace
from hub.errors import ConfigurationError, NotFound, SealRefused
from hub.seals import make_key_file
from hub.settings import Settings
from tests.conftest import ROOT
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

PAGE = (ROOT / "docs" / "evidence.md").read_text("utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one case."""
    settings = Settings(home=tmp_path_factory.mktemp("home") / "h")
    make_home(settings)
    hub = build(settings)
    form = form_from_json(MINIMAL)
    (accepted,) = hub.intake.submit_all([Submission(form=form, owner=settings.party_code)])
    hub.close()
    number = json.loads(accepted.answer)["case_number"].replace("-", "")
    (settings.home / "case").write_text(f"{accepted.case_id} {accepted.message_id} {number}")
    return settings.home


def call(*words: object) -> str:
    """One command; its errors come through."""
    done = CliRunner().invoke(
        evidence_group, [str(word) for word in words], catch_exceptions=False, standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.mark.parametrize("which", [0, 1, 2])
def test_export_and_verify(home: Path, tmp_path: Path, which: int) -> None:
    """By the case's id, a message's or the number; private, never over an old file; verified by the home's own key."""
    any_id = (home / "case").read_text().split()[which]
    out = tmp_path / "e.zip"
    made = json.loads(call("export", any_id, "--out", out, "--home", home, "--json"))
    assert made["case_id"] == (home / "case").read_text().split()[0]
    assert out.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError):
        call("export", any_id, "--out", out, "--home", home)
    assert "Everything holds" in call("verify", out, "--home", home)
    assert json.loads(call("verify", out, "--cert", home / "keys" / "hub.crt", "--json"))["holds"]


def test_a_case_is_told_by_its_number(home: Path) -> None:
    """`hub trace` and `hub find` take the number as it is said, and show it as it is written."""
    case, _, number = (home / "case").read_text().split()
    told = json.loads(CliRunner().invoke(trace, [number, "--home", str(home), "--json"]).output)
    assert (told["case_id"], told["case_number"].replace("-", "")) == (case, number)
    (found,) = json.loads(CliRunner().invoke(find, [number, "--home", str(home), "--json"]).output)
    assert (found["case"], found["case_number"], found["by"]) == (case, told["case_number"], "number")
    assert f"(no. {told['case_number']})" in CliRunner().invoke(trace, [number, "--home", str(home)]).output


def test_what_does_not_hold_ends_with_1(home: Path, tmp_path: Path) -> None:
    """A changed file is named and the exit code is 1; another hub's certificate is a refusal of the seal."""
    out = tmp_path / "e.zip"
    call("export", (home / "case").read_text().split()[0], "--out", out, "--home", home)
    changed = tmp_path / "changed.zip"
    shutil.copy(out, changed)
    import zipfile

    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr("more.txt", b"")
    done = CliRunner().invoke(evidence_group, ["verify", str(changed), "--home", str(home)])
    assert (done.exit_code, done.output) == (1, "evidence.unlisted: more.txt\n")
    make_key_file(tmp_path / "other.pem", common_name="Other", organization="Other")
    with pytest.raises(SealRefused):
        call("verify", out, "--cert", tmp_path / "other.crt")
    with pytest.raises(ConfigurationError):
        call("verify", out, "--cert", tmp_path / "other.pem")


def test_an_unknown_case_leaves_no_file(home: Path, tmp_path: Path) -> None:
    """Nothing is written for a case that does not exist."""
    with pytest.raises(NotFound):
        call("export", "01930000-0000-7000-8000-000000000001", "--out", tmp_path / "e.zip", "--home", home)
    assert list(tmp_path.iterdir()) == []


def test_the_page_names_every_code() -> None:
    """docs/evidence.md lists the codes of this room."""
    import re

    source = "".join(path.read_text("utf-8") for path in (ROOT / "hub" / "evidence").glob("*.py"))
    assert set(re.findall(r"`(evidence\.[a-z_]+)`", PAGE)) == set(re.findall(r'"(evidence\.[a-z_]+)"', source))
