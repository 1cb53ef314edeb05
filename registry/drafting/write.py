"""The draft as registry files: one for each network, with the rules that apply to it in its head."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from hub.schemas.directory import WHOLE_COUNTRY, AuthorityKind
from registry.drafting.bodies import Drafted, Found
from registry.drafting.country import Country
from registry.drafting.names import Listed
from registry.drafting.plan import CompetenceRule, Level
from registry.drafting.sharing import Sharing

_WIDTH = 120


def network_file(found: Found, rules: Sequence[CompetenceRule], country: Country, sharing: Sharing) -> str:
    """The file of one network, its bodies oblast by oblast: those with a code, then those that wait for it."""
    network = found.network
    own = [r for r in rules if any(r.covers(b.code, b.kind, b.levels, b.network) for b in found.bodies)]
    head = [
        f"# {network.name}. Made by `hub registry draft` from the official lists: review it before use.",
        f"# {network.source}",
        *(f"# {', '.join(rule.topics)}: {rule.source}" for rule in own),
    ]
    parts = ["\n".join(line for text in head for line in _comment(text)) + "\n"]
    coded = [body for body in found.bodies if body.code is not None]
    awaited = [body for body in found.bodies if body.code is None]
    for section, bodies in (("authorities", coded), ("awaited", awaited)):
        if bodies:
            parts.append(f"{section}:\n")
            parts.extend(_by_oblast(bodies, country, sharing))
    return "".join(parts)


def central_file(bodies: Sequence[Drafted], sharing: Sharing) -> str:
    """The file of the bodies for the whole country; the act stands beside each competence."""
    head = (
        "# Bodies for the whole country. Made by `hub registry draft` from the official lists: review it before use.\n"
    )
    return head + "authorities:\n" + "".join(_entry(body, sharing, sources=True) for body in bodies)


def listed_file(bodies: Iterable[Listed]) -> str:
    """Bodies of the list that no network has: they can be asked for by code, and are competent for nothing."""
    head = (
        "# Bodies of the list of SEV participants that no drafted network has. Kinds are guessed from names.\n"
        "# To correct or complete an entry, write it under `authorities` in a file of your own: that goes first.\n"
    )
    parts = [head, "listed:\n"]
    for body in sorted(bodies, key=lambda body: body.code):
        parts.append(f'  - code: "{body.code}"\n    name: {_quoted(body.name)}\n')
        if body.short_name and body.short_name != body.name:
            parts.append(f"    short_name: {_quoted(body.short_name)}\n")
        parts.append(f"    kind: {body.kind}\n")
        if body.part_of is not None:
            parts.append(f'    superior: "{body.part_of}"\n')
    return "".join(parts)


def _by_oblast(bodies: Sequence[Drafted], country: Country, sharing: Sharing) -> Iterator[str]:
    last = ""
    for body in bodies:
        place = country.oblast_of(body.territories[0]) if body.territories else ""
        if place != last and place:
            yield f"  # {country.units[place].name}\n"
        if place != last and not place:
            yield "  # No more\n"
        last = place
        yield _entry(body, sharing)


def _entry(body: Drafted, sharing: Sharing, *, sources: bool = False) -> str:
    whole = body.territories == (WHOLE_COUNTRY,)
    lines = []
    if body.code is not None:
        lines.append(f'code: "{body.code}"')
    lines.append(f"name: {_quoted(body.name)}")
    if body.short_name and body.short_name != body.name:
        lines.append(f"short_name: {_quoted(body.short_name)}")
    lines.append(f"kind: {body.kind.value}")
    if body.code is None and body.level is Level.OBLAST and body.kind is not AuthorityKind.LOCAL_ADMINISTRATION:
        lines.append(f"branch: {body.network}")
    if body.superior is not None:
        lines.append(f'superior: "{body.superior}"')
    if whole or len(body.territories) == 1:
        lines.append(f"territory: {body.territories[0]}")
    if body.successor is not None:
        lines.append(f'successor: "{body.successor}"')
    if body.valid_to is not None:
        lines.append(f"valid_to: {body.valid_to.isoformat()}")
    lines.extend(_competences(body, sharing, sources=sources))
    if body.note:
        lines.append(f"note: {_quoted(body.note)}")
    return "  - " + "\n    ".join(lines) + "\n"


def _competences(body: Drafted, sharing: Sharing, *, sources: bool) -> Iterator[str]:
    own = sharing.of(body)
    if not own or not body.territories:
        return
    yield "competences:"
    by_kinds: dict[tuple[bool, bool, tuple[str, ...]], list[str]] = {}
    for rule in own:
        kinds = tuple(kind.value for kind in rule.appeals)
        topics = by_kinds.setdefault((rule.on_request, rule.subtopics, kinds), [])
        topics.extend(topic for topic in rule.topics if topic not in topics)
        if sources:
            yield f"  # {rule.source}"
    for (on_request, subtopics, kinds), topics in by_kinds.items():
        yield _wrapped("  - topics: ", [_quoted(t) if t == "*" else t for t in topics])
        if len(body.territories) > 1:
            yield _wrapped("    territories: ", body.territories)
        if kinds:
            yield f"    kinds: [{', '.join(kinds)}]"
        if on_request:
            yield "    on_request: true"
        if not subtopics:
            yield "    subtopics: false"


def _wrapped(begin: str, values: Iterable[str]) -> str:
    """A list on as many lines as it needs; entries stand four blanks in."""
    width = _WIDTH - len(begin) - len("    []")
    rows = textwrap.wrap(", ".join(values), width, break_long_words=False, break_on_hyphens=False)
    pad = "\n" + " " * (len(begin) + len("    ["))
    return f"{begin}[{pad.join(rows)}]"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="#   ", break_long_words=False, break_on_hyphens=False)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a double-quoted YAML scalar
