"""Credentials are cut out of what is kept; everything else stays byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.delivery.credentials import MARK, cut

SECRET = "tuZvjL4Pq9sX"


@pytest.mark.parametrize(
    "text",
    [
        "<Auth><SystemId>4</SystemId><Password>{}</Password></Auth>",
        '<ns0:Password xmlns:ns0="urn:x">{}</ns0:Password>',
        '<wsse:UsernameToken><wsse:Password Type="#PasswordText">{}</wsse:Password></wsse:UsernameToken>',
        '<wsse:BinarySecurityToken EncodingType="#Base64Binary">{}</wsse:BinarySecurityToken>',
        '{{"grant_type": "password", "password": "{}"}}',
        '{{"access_token":"{}","expires_in":3600}}',
        '{{"client_secret" : "{}\\"more"}}',
        "grant_type=client_credentials&client_id=hub&client_secret={}",
        "https://they.example/api?x=1&access_token={}",
        "POST / HTTP/1.1\r\nAuthorization: Bearer {}\r\nHost: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSet-Cookie: session={}\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-Api-Key: {}\r\n\r\nok",
        "an echo of a known secret: {} in plain words",
    ],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
def test_a_credential_is_cut_and_marked(text: str, coding: str) -> None:
    """The secret is gone, the mark stands in its place, and at least one cut is counted."""
    data = text.format(SECRET).encode(coding)
    kept, cuts = cut(data, [SECRET])
    assert cuts >= 1
    shown = kept.decode(coding)
    assert SECRET not in shown
    assert MARK.decode() in shown


@given(st.text(alphabet='абвгд xyz<>{}":=/\n', max_size=200))
def test_words_stay(text: str) -> None:
    """What names no credential is kept as it came."""
    assert cut(text.encode()) == (text.encode(), 0)


@pytest.mark.parametrize(
    "text",
    ["Пароль від пошти я забув", "<Text>password</Text>", '{"text": "the password is lost"}', "token", "<Nonce/>"],
)
def test_talk_about_passwords_stays(text: str) -> None:
    """A citizen may write of passwords; a short known secret is not hunted for in ordinary words."""
    assert cut(text.encode(), ["ost"]) == (text.encode(), 0)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_looked_at(data: bytes) -> None:
    """Bytes that are no text end in no error."""
    kept, cuts = cut(data, [SECRET])
    assert cuts or kept == data


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        b"<password ",
        b"<password>a",
        b'"password":"',
        b'"password":"\\',
        b"cookie : ",
        b"password=",
        b"<a:" * 20,
        b"\n ",
    ],
)
def test_a_flood_of_beginnings_is_read_once(piece: bytes) -> None:
    """Two megabytes of what begins like a credential and never ends cost one look: once they cost minutes."""
    flood = piece * (2_000_000 // len(piece))
    kept, _ = cut(flood, ("a-known-secret",))
    assert len(kept) <= len(flood) * 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<a:Password>", "</a:Password>"),
        ('{"password": "', '"}'),
        ("\naccess_token=", "&more=1"),
        ("\nCookie: ", "\nHost: x"),
    ],
)
@given(at=st.integers(-120, 40), length=st.sampled_from((1, 5_000, 40_000)))
def test_a_credential_across_the_steps(before: str, after: str, at: int, length: int) -> None:
    """Large bytes are looked through in steps; wherever a credential stands and however long it is, it is found."""
    head, tail = b"." * (16_384 + at) + before.encode(), after.encode() + b"." * 100_000
    assert cut(head + b"s" * length + tail) == (head + MARK + tail, 1)


@pytest.mark.parametrize(
    "text", ['{"password": "tuZvjL', "<Password>tuZvjL", "client_secret=tuZvjL", "Cookie: a=tuZvjL"]
)
def test_a_credential_whose_end_is_missing(text: str) -> None:
    """Of a message that breaks off in the middle of a credential the piece is cut, too; other lines stay."""
    for rest in (b"", b"\nletter of theirs"):
        kept, cuts = cut(text.encode() + rest)
        assert (b"tuZvjL" in kept, cuts, kept.endswith(rest)) == (False, 1, True)
