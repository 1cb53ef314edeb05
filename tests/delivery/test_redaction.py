"""What another system says is kept without secrets and without the appeal's words, however they are spelt."""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.delivery.credentials import cut
from hub.delivery.redaction import MARK, Redactor, unescaped, without_secrets
from tests.forms import examples

SECRET = "Zx9-quite-secret-7431"
PEOPLE = {"surname": "Канаренкоїд", "given": "Жадвіга"}
BODY: dict[str, Any] = {
    "channel": "web",
    "kind": "complaint",
    "topics": ["housing.heating"],
    "reference": "UKC-2026-17",
    "applicant": {
        "type": "individual",
        "name": PEOPLE,
        "address": {"text": "вул. Лепестковська, 7"},
        "contacts": {"phones": ["+380 66 555 01 99"], "emails": ["kanareika.xyz@pochta.example"]},
    },
    "text": "Третій тиждень немає опалення, дитина хворіє на пневмонію.",
}


def _redactor(body: dict[str, Any] = BODY, *secrets: str) -> Redactor:
    envelope = {"kind": "appeal", "header": {"message_id": "x"}, "body": body, "attachments": [{"name": "витяг.pdf"}]}
    return Redactor((json.dumps(envelope, ensure_ascii=False).encode(),), secrets or (SECRET,))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capitals": str.upper,
    "small": str.lower,
    "json": json.dumps,
    "html": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "html, hexadecimal": lambda text: "".join(f"&#x{ord(each):x};" for each in text),
    "html, twice": lambda text: html.escape("".join(f"&#{ord(each)};" for each in text)),
    "percent": lambda text: quote(text, safe=""),
    "quoted-printable": lambda text: quopri.encodestring(text.encode(), quotetabs=True).decode().replace("=\n", ""),
    "base64": lambda text: base64.b64encode(f"field={text};".encode()).decode(),
    "base64 of a page": lambda text: base64.b64encode(f"Поле {text}!".encode("cp1251", "ignore")).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"»{text}".encode()).decode(),
    "base64, its second half": lambda text: base64.b64encode(f"Помилка у полі {text} документа".encode()).decode()[5:],
    "hexadecimal": lambda text: text.encode().hex(),
    "blanks between": " ".join,
    "dots between": ".".join,
    "hyphenated": lambda text: f"{text[:5]}-{text[5:]}",
    "in a word": lambda text: f"value_{text}_is_wrong",
    "quoted": lambda text: f"«{text}»",
    "tags between": lambda text: f"<b>{text[:4]}</b> <i>{text[4:]}</i>",
    "look-alikes": lambda text: text.translate(str.maketrans("аеоіК", "aeoiK")),
    "zero width": "\u200b".join,
    "a piece": lambda text: text[: max(len(text) * 2 // 3, 6)],
}
_APART = frozenset({"blanks between", "dots between", "hyphenated", "tags between", "look-alikes", "zero width"})
"""Spellings that put something between the letters, or change them: bytes are not looked through for these."""
OURS = ["Канаренкоїд", "Жадвіга", "Лепестковська", "380665550199", "kanareika.xyz"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_applicants_data_is_told_in_any_spelling(spelling: str) -> None:
    """Of names, street, phone and mailbox nothing is left, and the rest of the sentence is."""
    for word in OURS:
        said = f"Error 17 in field: {SPELLINGS[spelling](word)} not found"
        shown = _redactor().text(said)
        assert "Error 17 in field" in shown, (word, shown)
        assert not _holds(shown, word), (word, shown)
        assert _redactor().tells(said)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_told_in_any_spelling(spelling: str) -> None:
    """Of a credential that comes back nothing is left."""
    said = f"Error 17: {SPELLINGS[spelling](SECRET)} is no credential"
    shown = _redactor().text(said)
    assert not _holds(shown, SECRET), shown
    assert _redactor().tells(said)


def _holds(shown: str, word: str) -> bool:
    """True if a piece of six letters of a word is in a text, in either case, whatever stands in between."""
    plain = "".join(filter(str.isalnum, unescaped(shown).casefold()))
    bare = "".join(filter(str.isalnum, word.casefold()))
    return any(bare[at : at + 6] in plain for at in range(len(bare) - 5))


@pytest.mark.parametrize(
    "said",
    [
        "тел. 066 555 01 99",
        "+38 (066) 555-01-99",
        "Канаренкоїду Жадвізі відмовлено",
        "громадянка КАНАРЕНКОЇД Ж.",
        "дитина хворіє",
        "ПНЕВМОНІЮ",
        "файл витяг.pdf не відкрито",
    ],
)
def test_other_forms_of_their_words(said: str) -> None:
    """Phones as people write them, names in other cases, words of the text, names of files."""
    assert MARK in _redactor().text(said)


@pytest.mark.parametrize(
    "said",
    [
        "HTTP 503, text/html, 120 bytes: Service Unavailable",
        "Fault soap:Server: ORA-00001: unique constraint (EDMS.DOC_PK) violated",
        "java.lang.NullPointerException at com.acme.Doc.save(Doc.java:123)",
        "Basic authentication is required",
        "document 2026-1 is not registered: field applicant.surname is empty",
        "Документ 17/26 не зареєстровано: помилка 55 у рядку 12",
        "550 5.1.1 no such user rada@gromada.ua",
        "018f3c1e-7b2a-7c3d-9e4f-123456789abc",
        "UKC-2026-17 is known already",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "",
    ],
)
def test_what_is_nobodys_data_is_shown(said: str) -> None:
    """Errors stay readable: words of systems, ids, hosts, the centre's own number."""
    assert _redactor().text(said) == said
    assert not _redactor().tells(said)


@pytest.mark.parametrize(
    "said",
    [
        "Authorization: Bearer abcdef12345",
        "bad login Basic aHViOmh1YjEyMw==",
        '{"password": "hunter22"}',
        "token Ab3dEf6hIj9kLm2nOp5qRs8t refused",
    ],
)
def test_what_looks_like_a_credential_is_cut_though_nobody_knows_it(said: str) -> None:
    """A credential of somebody else's is one too."""
    shown = _redactor().text(said)
    assert not any(each in shown for each in ("abcdef12345", "aHViOmh1", "hunter22", "Ab3dEf6hIj9k")), shown


LETTERS = st.sampled_from("абвгдежзиіїйклмнопрстуфхцчшщьюяє")
NAMES = st.lists(LETTERS, min_size=7, max_size=14).map(lambda letters: "".join(letters).capitalize())
SECRETS = st.text(st.characters(codec="ascii", categories=("Lu", "Ll", "Nd")), min_size=12, max_size=64)


@given(name=NAMES, secret=SECRETS, spelling=st.sampled_from(sorted(SPELLINGS)), before=st.text(max_size=40))
def test_no_name_and_no_secret_is_left(name: str, secret: str, spelling: str, before: str) -> None:
    """Whatever they are and whatever stands before them."""
    body = {**BODY, "applicant": {**BODY["applicant"], "name": {"surname": name, "given": "Олена"}}}
    redactor = _redactor(body, secret)
    shown = redactor.text(f"{before} {SPELLINGS[spelling](name)} | {SPELLINGS[spelling](secret)}")
    assert not _holds(shown, name), shown
    assert not _whole(shown, secret), shown


def _whole(shown: str, secret: str) -> bool:
    """True if twelve characters of a secret in a row are in a text: fewer may be a word that it is made of."""
    plain = "".join(filter(str.isalnum, unescaped(shown).casefold()))
    bare = secret.casefold()
    return any(bare[at : at + 12] in plain for at in range(len(bare) - 11))


@given(st.text(max_size=200))
def test_any_text_can_be_redacted(said: str) -> None:
    """No text of theirs makes it fail; what was redacted stays as it is."""
    redactor = _redactor()
    once = redactor.text(said)
    assert redactor.text(once).count(MARK) >= once.count(MARK) - said.count(MARK)


def test_a_long_text_costs_little() -> None:
    """Texts made to stall it are cut first."""
    redactor = _redactor()
    for piece in ("&#1050;", "%D0", "Ab1" * 9, "Bearer x1=", "=D0=9A", '{"password":"' + "\\" * 50):
        assert len(redactor.text(piece * examples(40_000))) <= 8_000


@pytest.mark.parametrize("spelling", [each for each in SPELLINGS if each not in _APART])
def test_bytes_are_kept_without_secrets(spelling: str) -> None:
    """Of an answer that says a secret in any spelling but letters apart it is cut and marked; all else stays."""
    said = f"HTTP/1.1 500 X\r\nX-Echo: a\r\n\r\n<p>Error 17 of login: {SPELLINGS[spelling](SECRET)} </p>"
    kept, cuts = without_secrets(said.encode(), (SECRET, "another-secret-1"))
    assert cuts >= 1
    assert b"[cut]" in kept
    assert kept.startswith(b"HTTP/1.1 500 X\r\nX-Echo: a\r\n\r\n<p>Error 17 of login: ")
    assert not _holds(kept.decode(), SECRET), kept


@pytest.mark.parametrize("charset", ["utf-8", "cp1251"])
@pytest.mark.parametrize("spelling", [str, str.upper, str.lower, json.dumps, quote])
def test_a_secret_in_cyrillic_is_one_too(charset: str, spelling: Callable[[str], str]) -> None:
    """Its letters are told in both charsets, in capitals and escaped; base64 of either too."""
    secret = "Тремб1та-Пароль-77"
    said = f"login {spelling(secret)} is wrong".encode(charset)
    packed = b"X-Echo: " + base64.b64encode(b"who=" + spelling(secret).encode(charset) + b";")
    for each in (said, packed):
        kept, cuts = without_secrets(each, (secret,))
        assert cuts >= 1
        assert "Пароль".encode(charset) not in kept
        assert kept.endswith(b" is wrong") or kept == b"X-Echo: [cut]"


@given(data=st.binary(max_size=300), secret=SECRETS)
def test_bytes_without_a_secret_stay_as_they_are(data: bytes, secret: str) -> None:
    """Nothing is cut out of what says none."""
    assert without_secrets(data, ()) == cut(data)
    kept, cuts = without_secrets(data + secret.encode() + data, (secret,))
    assert cuts >= 1
    assert secret.encode() not in kept


def test_a_large_body_with_a_secret_in_it() -> None:
    """Of a body of megabytes what stands whole is found, in base64 too: of a long run the part that says it is cut."""
    run = base64.b64encode(b"y" * 600_000 + SECRET.encode())
    body = b"x" * 1_000_000 + SECRET.upper().encode() + b" " + run
    kept, cuts = without_secrets(body, (SECRET,))
    assert (cuts, kept[:1_000_006]) == (2, b"x" * 1_000_000 + b"[cut] ")
    rest, mark, end = kept[1_000_006:].partition(b"[cut]")
    assert (mark, end, run.startswith(rest)) == (b"[cut]", b"", True)
    assert SECRET.encode() not in base64.b64decode(rest[: len(rest) // 4 * 4])


@pytest.mark.parametrize("packing", ["plain", "base64", "hexadecimal"])
@given(at=st.integers(-200, 200), step=st.sampled_from((65_536, 131_072)))
@settings(max_examples=examples(30))
def test_a_secret_across_the_steps(packing: str, at: int, step: int) -> None:
    """A large body is looked through in steps, and a secret that lies across two of them is found."""
    spelled = {
        "plain": SECRET.encode(),
        "base64": base64.b64encode(b"key=" * 20 + SECRET.encode() + b";" * 30),
        "hexadecimal": (b"field" * 12 + SECRET.encode()).hex().encode(),
    }[packing]
    body = (b" " * (step + at - len(spelled) // 2) + spelled).ljust(200_000)
    kept, cuts = without_secrets(body, (SECRET,))
    assert (cuts, kept.strip()) == (1, b"[cut]")


def test_words_that_a_weak_secret_is_made_of_stay() -> None:
    """A password of words does not take these words out of letters and markup; the password itself goes."""
    weak = "zvernennia-Password-2026"
    said = b"<Password>x</Password> zvernennia 2026, password: zvernennia@gromada.ua; " + weak.upper().encode()
    kept, cuts = without_secrets(said, (weak,))
    assert kept == b"<Password>[cut]</Password> zvernennia 2026, password: zvernennia@gromada.ua; [cut]"
    assert cuts == 2
    assert (
        Redactor((), (weak,)).text(f"Wrong password for zvernennia 2026: {weak}")
        == f"Wrong password for zvernennia 2026: {MARK}"
    )


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "XML": escape,
    "XML, an attribute": lambda text: escape(text, {'"': "&quot;", "'": "&apos;"}),
    "XML, by numbers": html.escape,
    "XML, twice": lambda text: escape(escape(text)),
    "JSON": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON in ASCII": lambda text: json.dumps(text)[1:-1],
    "JSON for pages": lambda text: (
        json.dumps(text)[1:-1].replace("/", "\\/").replace("<", "\\u003c").replace("&", "\\u0026")
    ),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON in XML": lambda text: escape(json.dumps(text)[1:-1], {'"': "&quot;"}),
    "percent": lambda text: quote(text, safe=""),
    "percent, small letters": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text)),
    "a form": quote_plus,
    "a form with a name": lambda text: "keyAB=" + quote_plus(text),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in a word": lambda text: f"key_{text.encode().hex().upper()}z",
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of user and secret": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64 of a longer user": lambda text: base64.b64encode(f"hub-7:{text}".encode()).decode(),
    "base64 for URLs, no padding": lambda text: base64.urlsafe_b64encode(f"u:{text}".encode()).decode().rstrip("="),
    "base64 in a form": lambda text: quote(base64.b64encode(f"a:{text}".encode()), safe=""),
}
SPECIAL = [
    *('Pa"s&1', 'Pa"ss\\wd1', "p&ss<1rd", "пароль&1", 'longer&secret<value"x1', "s3cret12"),
    *('a%41&b"c%2', "two words/9'"),
]
ANY_SECRET = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=8, max_size=30)


@pytest.mark.parametrize("size", [0, 70_000])
@pytest.mark.parametrize("written", WRITTEN)
def test_a_secret_is_cut_whole_however_it_is_written(written: str, size: int) -> None:
    """Of short ones and of those with quotes, brackets or letters beyond ASCII no tail is left, in large bodies too."""
    before = b"<!---->" + b" " * size
    for secret in SPECIAL:
        said = before + f"<r>{WRITTEN[written](secret)}</r>".encode()
        kept, cuts = without_secrets(said, (secret, "another-secret-1"))
        rest = kept.removeprefix(before).decode()
        named = rest.replace("keyAB=", "").replace("key_", "").replace("z<", "<")
        assert (cuts, named) == (1, "<r>[cut]</r>"), secret


@given(secret=ANY_SECRET, data=st.data())
def test_no_written_secret_is_left(secret: str, data: st.DataObject) -> None:
    """Whatever letters a secret is made of."""
    written = WRITTEN[data.draw(st.sampled_from(sorted(WRITTEN)))](secret)
    kept, cuts = without_secrets(f"<r> {written} </r>".encode(), (secret,))
    assert cuts >= 1
    assert written.encode() not in kept


@pytest.mark.parametrize("written", [str, escape, lambda text: base64.b64encode(f"u:{text}".encode()).decode()])
@pytest.mark.parametrize("secret", ["p&ss<1rd", 'Pa"ss\\wd1', "Pa-s&1", "?1-2-3-4-5-6"])
def test_a_secret_of_few_letters_is_shown_to_nobody(secret: str, written: Callable[[str], str]) -> None:
    """Nor is one that is signs for the greater part, where letters and digits alone would be too few to tell it."""
    said = f"Error 17: {written(secret)} is no credential"
    assert Redactor((), (secret,)).text(said) in {f"Error 17: {mark} is no credential" for mark in ("[cut]", MARK)}
    assert Redactor((), (secret,)).tells(said)


def test_a_secret_in_utf_16_is_cut_too() -> None:
    """A body of another coding is read in it."""
    kept, cuts = without_secrets('<?xml version="1.0"?><r>a&amp;secret-9</r>'.encode("utf-16"), ("a&secret-9",))
    assert (cuts, kept.decode("utf-16")) == (1, '<?xml version="1.0"?><r>[cut]</r>')


def test_a_secret_in_lines_of_base64_is_cut() -> None:
    """Base64 as mail folds it: the secret may lie across two lines."""
    for before in range(30, 60, 3):
        said = base64.encodebytes(b"-" * before + SECRET.encode() + b"-" * 60)
        assert without_secrets(said, (SECRET,)) == (b"[cut]\n", 1)


@pytest.mark.parametrize(
    "piece", [b"&amp;", b"&amp;&lt;", b"\\\\", b"%41", b"&#1050;", b"eyJh", SECRET.encode(), b"=41"]
)
def test_what_is_made_to_stall_is_read_once(piece: bytes) -> None:
    """Twice the bytes take about twice the time, whatever they are made of."""
    once, twice = (_seconds(piece * (size // len(piece))) for size in (66_000, 132_000))
    assert twice < 8 * once + 0.2


def _seconds(data: bytes) -> float:
    """The least of three readings: what the process tidies up meanwhile is not what is measured."""
    readings = []
    for _ in range(3):
        began = time.thread_time()
        without_secrets(data, (SECRET, "another&secret"))
        readings.append(time.thread_time() - began)
    return min(readings)


def test_many_known_secrets_are_looked_for_at_once() -> None:
    """A hub that runs for days knows thousands of tokens, which begin alike: each is found, in base64 too."""
    known = [f"eyJhbGciOiJIUzI1NiJ9.{number:06}&x" for number in range(200)]
    for written in (str, escape, lambda text: base64.b64encode(text.encode()).decode()):
        said = f"<r>{written(known[77])}</r>".encode()
        assert without_secrets(said.ljust(66_000), known)[0].rstrip() == b"<r>[cut]</r>"
