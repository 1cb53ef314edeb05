"""Drafts of mappings out of what another system says of itself: a WSDL, an XML Schema, a JSON Schema, a sample.

A draft has every member that the system knows, with its type and whether it is needed, and our places where the name is
clear. All else is ``TODO``, which ``hub registry check`` refuses by file and line until somebody has filled it in: a
draft can never go into use as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from hub.adapters.mapping_check import TODO
from hub.workbench import guesses
from hub.workbench.guesses import PlaceGuess
from hub.workbench.slots import Slot

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS_LIKE: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_DAY: Final = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}")
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,6}|[0-9]{2}\.[0-9]{2}\.[0-9]{4}", re.ASCII)
"""A value of a sample that is shown: a short code or a day, nobody's data."""
_SHOWN_CHARS: Final = 90
_MOST_WORDS: Final = 12
_NAMES: Final = ("surname", "given", "patronymic")
_DATES: Final = {"date": "%Y-%m-%d", "dateTime": "%Y-%m-%dT%H:%M:%S", "date-time": "%Y-%m-%dT%H:%M:%S"}
_ANSWER: Final = ("echo", "id", "number", "date", "note")


def of_json(request: Sequence[Slot], answer: Sequence[Slot] = ()) -> str:
    """A channel of dialect ``template``. ``answer``: what their answer holds, if that is known."""
    head = [
        "channels:",
        f'  - authority: "{TODO}"  # code of the body, 8 digits in quotes',
        "    channel:",
        f"      id: {TODO}  # such as 00032106.edms",
        "      adapter: rest",
        "      dialect: template",
        "      settings:",
        f"        url: {TODO}  # such as https://edms.example.org/api/appeals",
        "        template:",
        "          request:",
    ]
    body = _indented(_members(request, (), "$item.content"), 12)
    return "\n".join([*head, *body, *_indented(["answer:", *_indented(_answer(answer, "."), 2)], 10)]) + "\n"


def of_operation(operation: str, request: Sequence[Slot], answer: Sequence[Slot] | None) -> str:
    """``mapping.yaml`` of dialect ``wsdl``."""
    one_way = [] if answer is not None else ["# It has no answer, so it can never confirm a message: name another one."]
    lines = [
        *one_way,
        f"operation: {_key(operation)}",
        "kinds: [appeal]",
        "request:",
        *_indented(_members(request, (), "$item.cid"), 2),
        "answer:",
        *_indented(_answer(answer or (), "/"), 2),
    ]
    return "\n".join(lines) + "\n"


def of_element(element: Slot) -> str:
    """The section ``template`` of a channel that lays documents of XML down."""
    lines = [
        "template:",
        "  format: xml",
        f"  xml: {{xsd: {TODO}}}  # the schema's absolute path",
        '  name: "{message_id}.xml"',
        "  request:",
        f"    {_key(element.name)}:",
        *_indented(_members(element.members, (), "$item.content"), 6),
    ]
    return "\n".join(lines) + "\n"


def _indented(lines: Iterable[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


def _key(name: str) -> str:
    plain = _PLAIN_KEY.fullmatch(name) is not None and name.lower() not in _WORDS_LIKE
    return name if plain else _word(name)


def _said(text: str) -> str:
    """A text in a comment: one line, without signs that could end it."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain[:_SHOWN_CHARS]


# The request


def _members(slots: Sequence[Slot], around: tuple[str, ...], content: str | None) -> list[str]:
    lines: list[str] = []
    beside = [_bare(slot.name) for slot in slots]
    for slot in slots:
        guess = guesses.of_request(_bare(slot.name), around, beside) or guesses.of_words(slot.words)
        lines += _member(slot, guess, around, content)
    return lines or [f"{TODO}: ${TODO}"]


def _bare(name: str) -> str:
    """A name without the mark of an attribute or of a text."""
    return name.lstrip("@#")


def _member(slot: Slot, guess: PlaceGuess | None, around: tuple[str, ...], content: str | None) -> list[str]:
    if guess is not None and not guess.dated:
        slot = replace(slot, sample=None)  # somebody's data
    if slot.many:
        return _list(slot, guess, around, content)
    if slot.members:
        inner = _members(slot.members, (*around, slot.name), content)
        return [f"{_key(slot.name)}:{_comment(slot)}", *_indented(inner, 2)]
    return [f"{_key(slot.name)}: {_value(slot, guess)}{_comment(slot)}"]


def _list(slot: Slot, guess: PlaceGuess | None, around: tuple[str, ...], content: str | None) -> list[str]:
    """A list: files by their rule, else of one value or one object, for somebody to fill in."""
    if guess is not None and guess.path == "$attachments" and slot.members:
        rows = [f"{_key(each.name)}: {_file_value(each, content)}{_comment(each)}" for each in slot.members]
        return [f"{_key(slot.name)}:{_comment(slot)}", "  $each: $attachments", "  as:", *_indented(rows, 4)]
    if guess is not None and guess.listed and not slot.members:
        return [f"{_key(slot.name)}: {guess.path}{_comment(slot)}"]
    if not slot.members:
        return [f"{_key(slot.name)}: [{_value(slot, guess)}]{_comment(slot)}"]
    # Of one person or thing a list of one: a mapping writes it as such.
    inner = _members(slot.members, (*around, slot.name), content)
    first, *others = inner
    return [f"{_key(slot.name)}:{_comment(slot)}", f"  - {first}", *_indented(others, 4)]


def _file_value(slot: Slot, content: str | None) -> str:
    guess = guesses.of_file(_bare(slot.name))
    if slot.name == "#text" and content is not None:
        return content
    if guess is None or slot.members or (guess.path == "$item.content" and content is None):
        return f"${TODO}"
    return content if guess.path == "$item.content" and content is not None else guess.path


def _value(slot: Slot, guess: PlaceGuess | None) -> str:
    if guess is None:
        return _unknown(slot)
    if guess.values is not None:
        return f"{{$from: {guess.path}, values: {{{_values(guess.values, slot.words)}}}}}"
    if guess.path.endswith(".name"):
        return f'{{$from: [{", ".join(f"{guess.path}.{name}" for name in _NAMES)}], join: " "}}'
    if guess.dated:
        return f'{{$from: {guess.path}, date: "{_pattern(slot)}"}}'
    if guess.listed:
        return f'{{$from: {guess.path}, join: ", "}}'
    return guess.path


def _unknown(slot: Slot) -> str:
    if not slot.words:
        return f"${TODO}"
    values = ", ".join(f"{TODO}{n}: {_word(word)}" for n, word in enumerate(slot.words[:_MOST_WORDS], start=1))
    return f"{{$from: ${TODO}, values: {{{values}}}}}"


def _values(known: Mapping[str, tuple[str, ...]], theirs: Sequence[str]) -> str:
    meant = {guesses.of_word(known, word): word for word in theirs}
    return ", ".join(f"{ours}: {_word(meant[ours]) if ours in meant else TODO}" for ours in known)


def _word(said: str) -> str:
    """A text in quotes, as YAML reads it: what cannot be printed is escaped."""
    plain = json.dumps(said, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in plain)


def _pattern(slot: Slot) -> str:
    if slot.kind in _DATES:
        return _DATES[slot.kind]
    sample = slot.sample or ""
    if _DAY.match(sample):
        return "%d.%m.%Y %H:%M" if ":" in sample else "%d.%m.%Y"
    return "%Y-%m-%d" if re.fullmatch(r"\d{4}-\d\d-\d\d", sample) else "%Y-%m-%dT%H:%M:%S" if sample else "%d.%m.%Y"


def _comment(slot: Slot) -> str:
    needed = {True: "required", False: "optional: delete it if nothing fits", None: ""}[slot.required]
    told = [
        f"{'list of ' if slot.many else ''}{slot.kind}",
        "one of several in its place" if slot.choice else needed,
        f"theirs: {', '.join(slot.words[:_MOST_WORDS])}" if slot.words else "",
        f"such as {slot.sample}" if _CODE.fullmatch(slot.sample or "") and not slot.words else "",
        slot.note or "",
    ]
    return f"  # {_said('; '.join(each for each in told if each))}"


# The answer


def _answer(slots: Sequence[Slot], between: str) -> list[str]:
    """Meaning of their answer: places by name where they are clear."""
    found: dict[str, tuple[str, Slot]] = {}
    for names, slot in _leaves(slots, between):
        member = guesses.of_answer(slot.name)
        if member is not None:
            found.setdefault(member, (names, slot))
    path, status = found.get("status", (TODO, Slot(name=TODO, kind="text")))
    words = status.words[:_MOST_WORDS] or (TODO,)
    values = ", ".join(f"{_word(word)}: {TODO if word != TODO else 'registered'}" for word in words)
    lines = [f"status: {{path: {_word(path)}, values: {{{values}}}}}{_comment(status)}"]
    told = (member for member in _ANSWER if member in found or member != "echo")
    return [*lines, *(_place(member, *found.get(member, (TODO, None))) for member in told)]


def _leaves(slots: Sequence[Slot], between: str, at: str = "") -> Iterator[tuple[str, Slot]]:
    """Values with their places, as an answer's mapping names them: of a list the first."""
    for slot in slots:
        first = f"{between}0" if slot.many and between == "." else ""
        here = f"{at}{slot.name}{first}"
        if slot.members:
            yield from _leaves(slot.members, between, f"{here}{between}")
        else:
            yield here, slot


def _place(member: str, path: str, slot: Slot | None) -> str:
    comment = "  # delete it if they do not say it" if slot is None else _comment(slot)
    if member != "date" or (slot is not None and slot.kind in _DATES):
        return f"{member}: {_word(path)}{comment}"
    return f'{member}: {{path: {_word(path)}, date: "{_pattern(slot or Slot(name=path, kind="text"))}"}}{comment}'
