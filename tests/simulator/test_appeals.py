"""Made-up appeals: valid, repeatable, weighted, and nobody's."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from hub.errors import InvalidInput
from hub.schemas import json_rendering
from hub.schemas.terms import AppealChannel, AppealKind, ReceiptSign
from hub.simulator.appeals import CHANNELS, KINDS, SIGNS, generate, texts
from hub.simulator.words import fill, vocabulary
from tests.schemas.form_reading import form_from_json

TOPICS = ("utilities.water", "transport.roads", "health", "utilities.lifts", "unheard-of")
PLACES = ("UA80000000000093317", "UA46060250000025047")


def test_the_same_seed_gives_the_same_appeals() -> None:
    """Byte for byte; each depends on its own number only; another seed gives others."""
    long = [json_rendering.to_tree(form) for form in generate(50, 7, TOPICS, PLACES)]
    assert long[:10] == [json_rendering.to_tree(form) for form in generate(10, 7, TOPICS, PLACES)]
    assert long[:10] != [json_rendering.to_tree(form) for form in generate(10, 8, TOPICS, PLACES)]


def test_every_appeal_passes_the_form_from_json() -> None:
    """What is generated is what a front end may send: strict JSON in, the same model out."""
    for form in generate(200, 1, TOPICS, PLACES):
        assert form_from_json(form.model_dump_json(exclude_none=True).encode()) == form


@pytest.mark.slow
def test_weights_are_those_that_were_counted() -> None:
    """Kinds, signs and channels of many appeals are within a fifth of their weights."""
    forms = list(generate(4_000, 3, TOPICS, PLACES))

    def close(seen: Counter[str], weights: dict[str, int]) -> None:
        total = sum(weights.values())
        for key, weight in weights.items():
            expected = len(forms) * weight / total
            assert abs(seen[key] - expected) <= max(0.2 * expected, 25)

    close(Counter(str(f.kind) for f in forms), {str(k): w for k, w in KINDS.items()})
    close(Counter(str(f.sign) for f in forms), {str(k): w for k, w in SIGNS.items()})
    close(Counter(str(f.channel) for f in forms), {str(k): w for k, w in CHANNELS.items()})
    assert {f.kind for f in forms} == set(AppealKind)
    assert ReceiptSign.PRIMARY in {f.sign for f in forms}
    assert {f.channel for f in forms} == set(AppealChannel)


def test_nobody_can_be_called_or_written_to() -> None:
    """Phones are zeros after the operator's code, mail is under example.org (RFC 2606)."""
    for form in generate(300, 5, TOPICS, PLACES):
        contacts = form.applicant.contacts
        assert contacts is not None
        assert all(re.fullmatch(r"\+380\d\d000\d{4}", phone) for phone in contacts.phones)
        assert all(mail.endswith("@example.org") for mail in contacts.emails)


def test_texts_are_filled_and_in_ukrainian() -> None:
    """No slot is left open in any text with any number, and no Latin letter slips in."""
    for entries in vocabulary().topics.values():
        for subject, text in entries:
            for n in range(2, 10):
                filled = fill(text, n)
                assert "{" not in filled
                assert not re.search(r"[A-Za-zЫыЭэЪъЁё]", filled + subject)


def test_nouns_follow_their_numbers() -> None:
    """2 тижні, 5 тижнів: the form after the number is the right one."""
    assert fill("{weeks}, {days}, {years}", 3) == "3 тижні, 3 доби, 3 роки"
    assert fill("{weeks}, {days}, {years}", 5) == "5 тижнів, 5 діб, 5 років"


def test_a_topic_without_texts_takes_its_parents() -> None:
    """Unknown sub-topics fall back to the parent, unknown topics to the general ones."""
    assert texts("utilities.lifts") == vocabulary().topics["utilities"]
    assert texts("utilities.water.quality") == vocabulary().topics["utilities.water"]
    assert texts("unheard-of") == vocabulary().topics["other"]


def test_topics_are_needed_and_places_are_not() -> None:
    """Without topics there is nothing to write about; without places the appeal names none."""
    with pytest.raises(InvalidInput):
        next(generate(1, 1, (), PLACES))
    assert next(generate(1, 1, TOPICS, ())).place is None
