"""Characters and the file that describes a simulation."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from hub.errors import ConfigurationError
from hub.schemas.keys import VerificationKey
from hub.simulator.characters import PRESETS, Character, CharacterChoice, failure, load, refuses
from hub.simulator.setup import Placement, set_up

PLACEMENTS = (
    Placement(code="22883141", name="Київська міська рада", character="prompt"),
    Placement(code="00035323", name="Пенсійний фонд України", character="pulling"),
    Placement(code="00022585", name="Одеська ОДА", character="polled"),
    Placement(code="04055896", name="Львівська міська рада", character="prompt", changes={"receipt": "callback"}),
)


def prepare(folder: Path) -> tuple[Path, Path]:
    done = set_up(
        folder,
        PLACEMENTS,
        base_url="http://127.0.0.1:8090",
        hub_url="http://127.0.0.1:8080",
        api_keys={placement.code: f"hub_key_{placement.code}" for placement in PLACEMENTS},
    )
    return done.simulation, done.overlay


def test_fates_are_drawn_from_the_seed() -> None:
    """The same appeal has the same fate again, about as often as the character says, and only at first."""
    failing = Character(fail_percent=60, fail_tries=2)
    appeals = [f"НКЦ-1-{n:06d}" for n in range(1_000)]
    first = [failure(failing, 1, "04059243", appeal, 1) for appeal in appeals]
    assert first == [failure(failing, 1, "04059243", appeal, 1) for appeal in appeals]
    assert first != [failure(failing, 2, "04059243", appeal, 1) for appeal in appeals]
    assert 500 < sum(fate is not None for fate in first) < 700
    assert set(first) == {None, "busy", "error", "reset", "lost"}
    assert all(failure(failing, 1, "04059243", appeal, 3) is None for appeal in appeals)
    assert 500 < sum(refuses(PRESETS["refusing"], 1, "37641918", appeal) for appeal in appeals) < 700


def test_a_choice_is_a_preset_with_changes() -> None:
    """What is changed is checked like the rest."""
    choice = CharacterChoice(preset="prompt", changes={"receipt": "callback", "failures": ["busy"]})
    assert choice.character() == Character(receipt="callback", register_hours=0, answer_hours=24, failures=("busy",))
    for wrong in ({"preset": "moody"}, {"preset": "prompt", "changes": {"fail_percent": 101}}):
        with pytest.raises(ValidationError):
            CharacterChoice.model_validate(wrong)
    with pytest.raises(ValidationError):
        Character(pulls=True, receipt="poll")


def test_what_set_up_writes_can_be_loaded(tmp_path: Path) -> None:
    """The simulation's file is valid and keys are closed to others."""
    simulation, _ = prepare(tmp_path)
    loaded = load(simulation)
    assert [authority.code for authority in loaded.authorities] == [placement.code for placement in PLACEMENTS]
    assert loaded.authorities[3].character.character().receipt == "callback"
    for secret in [*tmp_path.glob("secrets/*"), *tmp_path.glob("keys/*.pem")]:
        assert secret.stat().st_mode & 0o077 == 0


def test_the_overlay_names_channels_and_keys(tmp_path: Path) -> None:
    """Each authority gets one channel that its adapter's own model accepts, and its public key."""
    from hub.adapters import table

    _, overlay = prepare(tmp_path)
    document = yaml.safe_load(overlay.read_bytes())
    adapters = table()
    assert [entry["authority"] for entry in document["channels"]] == [placement.code for placement in PLACEMENTS]
    for entry in document["channels"]:
        channel = entry["channel"]
        adapters[channel["adapter"]].settings_model.model_validate(channel["settings"])
    assert {entry["channel"]["adapter"] for entry in document["channels"]} == {"rest", "pull"}
    keys = [VerificationKey.model_validate_json(yaml_json(entry["key"])) for entry in document["keys"]]
    assert len({key.kid for key in keys}) == len(PLACEMENTS)


def yaml_json(value: object) -> str:
    import json

    return json.dumps(value)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second set-up into the same folder is refused."""
    prepare(tmp_path)
    with pytest.raises(ConfigurationError):
        prepare(tmp_path)


def test_a_broken_file_names_its_faults(tmp_path: Path) -> None:
    """Every fault by place, in one error."""
    file = tmp_path / "simulation.yaml"
    file.write_text("hub_url: ftp://x\nauthorities: []\nmood: bad\n", "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    for place in ("hub_url", "authorities", "mood"):
        assert place in str(caught.value)
