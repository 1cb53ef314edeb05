"""Samples say all that an appeal can say, and each channel shows what it makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.errors import InvalidInput
from hub.schemas.case_number import case_number, is_case_number
from hub.schemas.envelope import AppealForm, Attachment, Party
from hub.schemas.shapes import Leaf, Many, Shape, shape_of
from hub.workbench import messages
from hub.workbench.samples import names, sample, samples
from tests.acceptance.processes import hub
from tests.workbench.homes import CHANNEL, home_with, template

CALL = ("id", "number", "operator", "ended_at", "duration_secs")
OWN = {"answered", "identity.evidence", *(f"call.{name}" for name in CALL)}
"""The contact centre's own, which no authority gets."""
EITHER = {"addressee.kind"}
"""Beside a code no kind of body is named."""


def _places(shape: Shape, at: str = "") -> Iterator[str]:
    if isinstance(shape, Many):
        yield from _places(shape.each, at)
    elif isinstance(shape, Leaf):
        yield at
    else:
        for name, inner in shape.of.items():
            yield from _places(inner, f"{at}.{name}".strip("."))


def _said(value: Any, at: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _said(inner, f"{at}.{name}".strip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _said(inner, at)
    else:
        yield at


def test_nothing_that_an_appeal_can_say_is_in_no_sample() -> None:
    """Each member of the form that an authority can get is said by ``whole`` or ``letter``; a new one fails here."""
    said = {
        place
        for name in ("whole", "letter")
        for place in _said(sample(name).form.model_dump(mode="json", exclude_none=True))
    }
    can = {place for place in _places(shape_of(AppealForm)) if not any(place.startswith(own) for own in OWN)}
    assert can - said - EITHER == set()
    files = {place for each in sample("whole").attachments for place in _said(each.model_dump(exclude_none=True))}
    assert files == set(Attachment.model_fields)


def test_samples_are_always_the_same() -> None:
    """A sample is the same each time, and one that is not there is refused with the names that are."""
    assert samples() == samples()
    assert [each.name for each in samples()] == list(names())
    with pytest.raises(InvalidInput) as refused:
        sample("nobody")
    assert (refused.value.stable_code, "whole" in refused.value.next_step) == ("sample.unknown", True)


@pytest.mark.slow
def test_preview_shows_what_each_sample_becomes(tmp_path: Path) -> None:
    """Those that fit are shown with their bytes, those that stop with code and what has no place."""
    home = home_with(tmp_path, template())
    said = hub("channel", "preview", CHANNEL, "--all", home=home).stdout
    assert "── plain (the least that an appeal says): rest/template, application/json, " in said
    assert '"text":"ТЕСТ: перевірка каналу, не звернення.\\n\\nУ будинку' in said
    assert "template.left_out: The mapping has no place for: representative." in said
    stop = "representative, organisation, place, post, phone, files, whole, letter"
    assert said.endswith(f"13 samples, 8 stop: {stop}.\n"), said[-200:]
    told = json.loads(hub("channel", "preview", CHANNEL, "--all", "--json", home=home).stdout)
    assert {each["sample"]: each.get("stops") for each in told}["whole"] == "template.left_out"
    one = hub("channel", "preview", CHANNEL, "--sample", "characters", home=home).stdout
    assert "О’Прикладенка: «вода» & тепло <ґанок>" in one
    refused = hub("channel", "preview", CHANNEL, "--sample", "nobody", home=home, check=False)
    assert (refused.returncode, "sample.unknown" in refused.stderr) == (1, True)


def test_a_sample_bears_a_number_as_a_real_message_does() -> None:
    """The centre's, or a case's that no case ever gets: what demands one does not stop, for no real one lacks it."""
    party = Party(code="00032106")
    given = {
        each.name: messages.message(each.form, sender=party, recipient=party, now=each.form.received_at).body.reference
        for each in samples()
    }
    assert given["whole"] == "НКЦ-ЗРАЗОК-000001"
    assert (given["plain"], is_case_number(given["plain"] or "")) == (case_number(2026, 0), True)
