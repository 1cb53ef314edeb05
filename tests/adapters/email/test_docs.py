"""The page on e-mail is true: settings, codes, examples and the form are held against the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import yaml
from pydantic import BaseModel

from hub.adapters import adapter
from hub.adapters.documents.section import DocumentSection
from hub.adapters.email import bounces, forms, words
from hub.adapters.email.classify import Voice
from hub.adapters.email.replies import receive
from hub.adapters.email.settings import EmailSettings, ImapServer, SmtpServer
from hub.adapters.email.template import EmailTemplate
from hub.ports import Rendering
from hub.schemas.directory import Channel, LegalClass
from hub.testing.samples import NOW, appeal, parcel
from tests.adapters.email.making import PaperSink, box, out_channel, parsed, reply
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "adapters" / "email.md").read_text("utf-8")
SOURCES = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "hub" / "adapters" / "email").glob("*.py")))


def examples(title: str) -> Iterator[str]:
    """Bodies of the code blocks with this title."""
    for match in re.finditer(rf"^```\w+ {title}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        yield match[1]


def rows(between: str, until: str) -> dict[str, str]:
    part = PAGE.partition(between)[2].partition(until)[0]
    found = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (.*?) \|", part, re.MULTILINE)
    return {name: default for names, default in found for name in re.findall(r"`(\w+)`", names)}


def test_every_setting_is_listed_with_its_default() -> None:
    """The table has exactly the model's settings, each with the default it has."""
    listed = rows("## Settings", "### Servers")
    assert set(listed) == set(EmailSettings.model_fields)
    for name, field in EmailSettings.model_fields.items():
        shown = listed[name].strip("`")
        if field.is_required() or field.default is None:
            assert shown == "–", name
        else:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert yaml.safe_load(shown) == default, name


@pytest.mark.parametrize("model", [SmtpServer, ImapServer])
def test_every_setting_of_servers_is_listed(model: type[BaseModel]) -> None:
    """Both kinds of servers."""
    listed = rows("### Servers", "## What goes out")
    assert set(model.model_fields) <= set(listed)
    assert set(listed) == set(SmtpServer.model_fields) | set(ImapServer.model_fields)
    for name in ("port", "security"):
        assert str(model.model_fields[name].default) in listed[name]


def test_channels_of_the_page_are_valid() -> None:
    """Each example passes the adapter's checks; two of them are mailboxes."""
    email = adapter("email")
    channels = [Channel.model_validate_json(_json(body)) for body in examples("channel")]
    assert [email.collects(channel) for channel in channels] == [False, True, True, False]
    assert email.rendering(channels[0]) is Rendering.BOTH
    for channel in channels:
        email.rendering(channel)


def _json(body: str) -> str:
    return json.dumps(yaml.safe_load(body))


def test_the_form_of_the_page_is_read() -> None:
    """The example is the form that our letters carry, and it is understood."""
    (body,) = examples("form")
    lines = body.splitlines()
    assert (lines[0], lines[-1]) == (words.FORM_BEGINS, words.FORM_ENDS)
    assert [line.partition(":")[0] for line in lines[1:-1]] == list(words.FIELDS)
    said = forms.read(body)
    statement = forms.statement(said, at=NOW, today=NOW.date())
    assert statement is not None
    assert statement.number == "К-17/26"  # type: ignore[union-attr]
    assert all(f"`{status}`" in PAGE for status in words.STATUSES)


def test_codes_of_the_page_are_those_of_the_code() -> None:
    """Every code named is raised somewhere, and every code of the adapter is named."""
    families = r"(?:smtp|imap|mail|smime|tls)\.[a-z_]+"
    named = set(re.findall(rf"`({families})`", PAGE))
    raised = set(re.findall(rf'"({families})"', SOURCES))
    raised |= {f"mail.{voice}" for voice in (Voice.DELIVERED, Voice.RELAYED, Voice.COMPLAINT)}
    for family in ("smtp", "imap"):
        raised |= {f"{family}.{end}" for end in ("dns", "connect", "connect_timeout", "address_refused")}
        raised |= {f"{family}.{end}" for end in re.findall(r'f"\{family\}\.([a-z_]+)"', SOURCES)}
    returned = {f"mail.returned_{reason}" for reason in bounces.HARD}
    assert named - returned == raised - {"mail.pdf", "mail.eml"}
    assert named & returned


def test_the_worked_example_of_their_own_files_is_what_happens() -> None:
    """The channel attaches the document of the page to a mail with its subject, and the reply of the page counts."""
    (body,), (document,), (answer,) = (tuple(examples(title)) for title in ("channel-template", "document", "answer"))
    section = yaml.safe_load(body)["settings"]["template"]
    to = out_channel(template=section)
    day = NOW.replace(month=12, day=1)
    made = appeal()
    form = made.body.model_copy(update={"reference": "ЗВ-17/26", "received_at": day})
    made = made.model_copy(update={"header": made.header.model_copy(update={"created_at": day}), "body": form})
    mail = parsed(adapter("email").prepare(parcel(made, Rendering.JWS), to).body)
    assert mail["subject"] == "Звернення № ЗВ-17/26"
    (part,) = [part for part in mail.walk() if part.get_filename() == "ZV-ЗВ-17_26-01122026.csv"]
    assert part.get_payload(decode=True) == document.replace("\n", "\r\n").encode("cp1251")
    sink = PaperSink(channel=to)
    replied = reply(sink.sent(made), "")
    replied.add_attachment(answer.encode("cp1251"), maintype="text", subtype="csv", filename="VH-17.csv")
    receive(replied.as_bytes(), day + timedelta(days=2), sink, box())
    (said,) = sink.saids
    assert (getattr(said.body, "number", None), said.reaches) == ("17-К", LegalClass.DELIVERED)


def test_every_setting_of_the_section_is_listed() -> None:
    """Those that e-mail adds, with their defaults."""
    table = PAGE.partition("besides those of [documents]")[2]
    listed = dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", table, re.MULTILINE))
    own = {name: EmailTemplate.model_fields[name] for name in ("name", "subject", "text")}
    assert set(own) == set(EmailTemplate.model_fields) - set(DocumentSection.model_fields)
    assert {name: listed[name] for name in own} == {"name": "–", **{n: own[n].default for n in ("subject", "text")}}
