"""Tokens that another system gave in its answers, and the stand-ins for them in a recording.

A recording is a file that people give away, and a token or session that an answer names is somebody's key. Told are
tokens by the names of members, elements, attributes, headers and parameters of addresses. What the hub said first, an
id of its own that an answer repeats as ``session``, is none: it goes out the same when the recording is replayed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from lxml import etree

from hub.delivery.redaction import said_in, without_secrets
from hub.delivery.spellings import SHORTEST
from hub.errors import InvalidInput
from hub.net.http import HttpAnswer
from hub.schemas import foreign_json, strict_xml

STAND_IN: Final = re.compile(r"stand-in-token-\d{4,}")
_NAME: Final = re.compile(
    r"(?:.*(?:token|токен|jwt|session(?:id|key|state)?|csrf|xsrf|secret|cookie|credential|password|passwd"
    r"|(?:api|access|auth|private)key|authcode)|sid|otp|jti|nonce|bearer)s?"
)
_WITHIN: Final = frozenset({"id", "key", "value", "code", "text"})
"""Members of an object that is named as a token: it is one of these."""
_PARAMETER: Final = re.compile(r"(?<![\w.-])([\w.-]{1,64})=([^&\s\"'<>;#]{1,8192})")


@dataclass(frozen=True, slots=True)
class Hidden:
    """Values that no recording holds: ``secrets`` are cut out, for others stands what ``stand_ins`` says."""

    secrets: tuple[str, ...]
    stand_ins: Mapping[str, str]

    def of(self, data: bytes) -> bytes:
        """The bytes as they are recorded."""
        return without_secrets(data, self.secrets, self.stand_ins)[0]


def hidden(said: Sequence[tuple[bytes, HttpAnswer | None]], secrets: Iterable[str], as_is: Iterable[str]) -> Hidden:
    """Secrets and tokens of a conversation. ``said``: each request as bytes, and its answer; ``as_is``: names of
    members whose values are no tokens.
    """
    known, plain = tuple(secrets), frozenset(map(_folded, as_is))
    given, cut = _given([answer for _, answer in said], known, plain)
    for number, (request, _) in enumerate(said):
        for ours in said_in(request, given):
            if given[ours] >= number:
                del given[ours]
    tokens = [each for each in given if each not in cut]
    stand_ins = {each: f"stand-in-token-{number:04}" for number, each in enumerate(tokens, start=1)}
    return Hidden((*known, *(each for each in given if each in cut)), stand_ins)


def replayed(answers: Iterable[str]) -> Mapping[str, str]:
    """Stand-ins that recorded answers hold, each for itself: what is made of them later is written alike."""
    return {found: found for answer in answers for found in STAND_IN.findall(answer)}


def _given(
    answers: Sequence[HttpAnswer | None], known: tuple[str, ...], plain: frozenset[str]
) -> tuple[dict[str, int], set[str]]:
    """Tokens, each with the number of the first answer that says it; and those that are cut out by their names."""
    given: dict[str, int] = {}
    cut: set[str] = set()
    for number, answer in enumerate(answers):
        if answer is None:
            continue
        values = Counter(_of_answer(answer, plain))
        left = Counter(_of_answer(_kept(answer, known), plain))
        for value in values:
            given.setdefault(value, number)
            if left[value] < values[value]:
                cut.add(value)
    return given, cut


def _kept(answer: HttpAnswer, known: tuple[str, ...]) -> HttpAnswer:
    heads = [f"{name}: {value}".encode() for name, value in answer.headers.items()]
    cut = (without_secrets(each, known)[0].decode("utf-8", "replace").partition(": ") for each in heads)
    headers = {name: value for name, _, value in cut}
    return HttpAnswer(status=answer.status, headers=headers, body=without_secrets(answer.body, known)[0])


def _of_answer(answer: HttpAnswer, plain: frozenset[str]) -> Iterator[str]:
    for name, value in (*_of_body(answer.body), *((name, value) for name, value in answer.headers.items())):
        pairs = ((name, value), *((found[1], unquote(found[2])) for found in _PARAMETER.finditer(value)))
        for named, said in pairs:
            folded = _folded(named)
            if len(said) >= SHORTEST and folded not in plain and _NAME.fullmatch(folded):
                yield said


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


def _of_body(body: bytes) -> Iterator[tuple[str, str]]:
    """Texts of a body, each with the name that it has there."""
    if not body:
        return
    try:
        if foreign_json.is_json(body):
            yield from _of_json("", foreign_json.parse(body))
            return
        yield from _of_xml(strict_xml.parse(body, foreign=True))
    except InvalidInput:
        yield "", body.decode("utf-8", "replace")  # neither: its parameters are looked at


def _of_json(name: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield name, node
    elif isinstance(node, list):
        yield from (found for each in node for found in _of_json(name, each))
    elif isinstance(node, Mapping):
        for inner, each in node.items():
            yield from _of_json(name if inner.casefold() in _WITHIN and _NAME.fullmatch(_folded(name)) else inner, each)


def _of_xml(root: etree._Element) -> Iterator[tuple[str, str]]:
    for element in root.iter(etree.Element):
        name = etree.QName(element).localname
        yield name, (element.text or "").strip()
        for attribute, value in element.attrib.items():
            yield etree.QName(attribute).localname, str(value)
