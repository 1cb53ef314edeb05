"""Names of files by a pattern: safe, the same at every attempt, checked before they are used."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from hub.adapters.documents.names import MESSAGE, NameWords, check, safe
from hub.testing.samples import appeal


def named(reference: str | None) -> NameWords:
    """The words of an appeal with this number."""
    made = appeal()
    return NameWords.of(made.model_copy(update={"body": made.body.model_copy(update={"reference": reference})}))


def test_words_of_a_message_stand_in_its_name() -> None:
    """The day is that on which the message was made, in Kyiv: a later attempt names it alike."""
    made = named("К-17/26").fill("{date}/{date:%Y%m%d}-ZV-{reference}-{kind}.xml")
    assert made == "2026-03-02/20260302-ZV-К-17_26-appeal.xml"


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("../../etc/passwd", "etc_passwd"),
        (".hidden", "hidden"),
        ("а\u202eб\u0000", "а_б"),
        ("C:\\CON", "C_CON"),
        ("№ 5", "5"),
        ("x" * 99, "x" * 80),
    ],
)
def test_no_number_leads_out_of_its_folder(reference: str, name: str) -> None:
    """Of what people wrote, letters, digits, dots and dashes are left; nothing begins with a dot."""
    assert safe(reference) == name


@pytest.mark.parametrize("reference", [None, "///"])
def test_without_a_usable_number_the_case_names_it(reference: str | None) -> None:
    """The name is never empty."""
    made = named(reference)
    assert made.fill("{reference}") == made.words["case_id"]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{mesage_id}.xml", "did you mean «message_id»"),
        ("/abs/{message_id}", "names with slashes"),
        ("../{message_id}", "names with slashes"),
        ("a//{message_id}", "names with slashes"),
        (".tmp/{message_id}", "names with slashes"),
        ("{message_id}.", "names with slashes"),
        ("a\\{message_id}", "names with slashes"),
        ("{message_id}{", "names with slashes"),
        ("{date:%A}/{message_id}", "takes %Y"),
        ("{date:%d/%m}", "takes %Y"),
        ("{reference:%Y}", "takes %Y"),
    ],
)
def test_a_pattern_that_makes_no_safe_names_is_refused(pattern: str, told: str) -> None:
    """Unknown words, folders above, hidden names, patterns of dates with words in them."""
    with pytest.raises(PydanticCustomError, match=told):
        check(pattern, MESSAGE)


def test_a_name_without_folders() -> None:
    """Where there are no folders, a slash is refused."""
    check("ЗВ {date:%d.%m.%Y} {reference}.xml", MESSAGE, folders=False)
    with pytest.raises(PydanticCustomError, match="without folders"):
        check("{date}/{reference}.xml", MESSAGE, folders=False)
