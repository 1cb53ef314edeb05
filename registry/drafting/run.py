"""From the lists to the folder, and the report of what was found."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from hub.schemas.directory import ANY_TOPIC, AuthorityKind
from registry import import_sev, official, starter, territories
from registry.drafting import country as country_module
from registry.drafting import plan as plan_module
from registry.drafting.bodies import Drafted, Finder, Found
from registry.drafting.country import Country
from registry.drafting.names import Listed
from registry.drafting.plan import CompetenceRule, Level, Plan
from registry.drafting.sharing import Sharing
from registry.drafting.write import central_file, listed_file, network_file
from registry.source import yaml_files
from registry.yamlfile import parse

FOLDER: Final = "authorities"
REPORT_FILE: Final = "draft-report.md"
_BESIDE: Final = ("topics.yaml", "stages.yaml", "channels.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftReport:
    """The account of a draft. ``networks``: bodies found, waiting, and units without one, by network.

    ``councils``: communities matched, ambiguous and missing, by oblast. ``kept``: bodies that stand in files of the
    folder already and were left to them. ``topics_absent``: topics of rules that the folder does not have; ``idle``:
    rules that no body answers to.
    """

    networks: Mapping[str, Mapping[str, Any]]
    councils: Mapping[str, Mapping[str, int]]
    central: int
    absent: Sequence[str]
    listed: int
    kept: Sequence[str]
    topics_absent: Sequence[str]
    idle: Sequence[str]
    ambiguous: Sequence[Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "central": self.central,
            "absent": list(self.absent),
            "networks": {code: dict(counts) for code, counts in self.networks.items()},
            "councils": {oblast: dict(counts) for oblast, counts in self.councils.items()},
            "listed": self.listed,
            "kept": list(self.kept),
            "topics_absent": list(self.topics_absent),
            "idle": list(self.idle),
            "ambiguous": [dict(entry) for entry in self.ambiguous],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A draft: text of each file by its name inside the folder, and the report."""

    files: Mapping[str, str]
    report: DraftReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """Contents of the folder's files that a draft does not write: codes, and which kind of body has which territory."""

    codes: frozenset[str] = frozenset()
    places: frozenset[tuple[str, str]] = frozenset()

    def has_place(self, body: Drafted) -> bool:
        """True if they have the council or administration of this body's territory."""
        own = body.kind in (AuthorityKind.LOCAL_ADMINISTRATION, AuthorityKind.LOCAL_SELF_GOVERNMENT)
        return own and any((body.kind.value, territory) in self.places for territory in body.territories)


@dataclass(slots=True)
class _Sorting:
    """Leaves bodies that were reviewed to their files. ``kept``: their codes."""

    reviewed: Reviewed
    kept: list[str] = field(default_factory=list)

    def new(self, bodies: Iterable[Drafted]) -> list[Drafted]:
        """Bodies that the folder does not have; without competences where it has the one that decides there."""
        fresh = []
        for body in bodies:
            if body.code is not None and body.code in self.reviewed.codes:
                self.kept.append(body.code)
            elif not self.reviewed.has_place(body):
                fresh.append(body)
            elif body.code is not None:
                fresh.append(replace(body, rules=False))
        return fresh


_NOTHING: Final = Reviewed()


def draft(out: Path, *, sev: Path | None = None, overwrite: bool = False) -> DraftReport:
    """Write a registry folder. ``sev``: a newer list of participants than the shipped one.

    Raises ``InvalidInput`` if a drafted file stands there and may not be replaced.
    """
    plan, country = plan_module.shipped(), country_module.shipped()
    topics = _topics_in(out)
    rules, absent = _within(plan.rules, topics)
    plan = replace(plan, rules=rules)
    made = make(plan, country, _bodies(sev), topics=topics, reviewed=_reviewed(out, plan), topics_absent=absent)
    standing = [name for name in made.files if name != import_sev.OUT_FILE and (out / name).exists()]
    for name, text in sorted(
        made.files.items(), key=lambda item: item[0] not in standing
    ):  # what is refused comes first
        target = out / name
        if name == import_sev.OUT_FILE and target.exists() and not overwrite:
            continue  # an import of the whole list: it gives way by itself
        official.write(target, text.encode(), overwrite=overwrite)
    for name in _BESIDE:
        if not (out / name).exists():
            official.write(out / name, starter.documents()[name].encode(), overwrite=False)
    return made.report


def make(
    plan: Plan,
    country: Country,
    bodies: Sequence[Listed],
    *,
    topics: Mapping[str, str | None],
    reviewed: Reviewed = _NOTHING,
    topics_absent: Sequence[str] = (),
) -> Made:
    """The files and the report. ``topics``: each with its parent; ``reviewed``: what stands in other files of the
    folder already.
    """
    finder, sorting = Finder(bodies, country, _cities(plan, country)), _Sorting(reviewed)
    central, absent = finder.central(plan.central)
    found = [finder.network(network) for network in plan.networks]
    every = [*central, *(body for one in found for body in one.bodies)]
    sharing = Sharing(plan.rules, every, topics, country)
    texts = {f"{FOLDER}/central.yaml": central_file(sorting.new(central), sharing)}
    for one in found:
        one.bodies = sorting.new(one.bodies)
        texts[f"{FOLDER}/{one.network.code}.yaml"] = network_file(one, plan.rules, country, sharing)
    rest = [body for body in bodies if body.code not in finder.taken | reviewed.codes]
    texts[import_sev.OUT_FILE] = listed_file(rest)
    report = DraftReport(
        networks={one.network.code: _counts(one, country) for one in found},
        councils=_councils(found, country),
        central=len(central),
        absent=absent,
        listed=len(rest),
        kept=sorted(sorting.kept),
        topics_absent=topics_absent,
        idle=[", ".join(rule.topics) for rule in plan.rules if not _answered(rule, every)],
        ambiguous=_ambiguous(found, bodies, country),
    )
    texts[REPORT_FILE] = as_text(report)
    return Made(files=texts, report=report)


def _cities(plan: Plan, country: Country) -> frozenset[str]:
    named = {(entry.oblast, seat) for entry in plan.cities for seat in entry.seats}
    by_seat = {(country.units[c.oblast].name, c.seat): c.code for c in country.communities}
    return frozenset(by_seat[key] for key in named if key in by_seat)


def _answered(rule: CompetenceRule, bodies: Iterable[Drafted]) -> bool:
    return any(rule.covers(body.code, body.kind, body.levels, body.network) for body in bodies)


def _counts(found: Found, country: Country) -> dict[str, Any]:
    coded = [body for body in found.bodies if body.code is not None]
    return {
        "name": found.network.name,
        "found": sum(body.valid_to is None for body in coded),
        "ended": sum(body.valid_to is not None for body in coded),
        "awaited": sum(body.code is None for body in found.bodies),
        "gaps": [country.units[code].name for code in found.gaps] if not found.network.awaits else [],
        "awaits": [country.units[code].name for code in found.gaps]
        if found.network.awaits and found.network.level is not Level.COMMUNITY
        else [],
    }


def _councils(found: Sequence[Found], country: Country) -> dict[str, dict[str, int]]:
    one = next((one for one in found if one.network.code == "councils"), None)
    if one is None:
        return {}
    communities = Counter(community.oblast for community in country.communities)
    missing = Counter(country.oblast_of(code) for code in one.gaps)
    hinted = Counter(country.oblast_of(body.territories[0]) for body in one.bodies if body.code is None and body.note)
    unsure = Counter(country.oblast_of(code) for code in {c for codes in one.ambiguous.values() for c in codes})
    return {
        country.units[oblast].name: {
            "communities": count,
            "matched": count - missing[oblast],
            "ambiguous": unsure[oblast],
            "awaited": missing[oblast],
            "hinted": hinted[oblast],
        }
        for oblast, count in sorted(communities.items())
    }


def _ambiguous(found: Sequence[Found], bodies: Sequence[Listed], country: Country) -> list[dict[str, Any]]:
    names = {body.code: body.name for body in bodies}
    return [
        {
            "network": one.network.code,
            "code": code,
            "name": names[code],
            "fits": [f"{country.units[t].name} ({country.units[country.oblast_of(t)].name})" for t in territories_of],
        }
        for one in found
        for code, territories_of in sorted(one.ambiguous.items())
    ]


def _bodies(sev: Path | None) -> list[Listed]:
    if sev is not None:
        bodies, report = import_sev.read(sev)
        official.require_whole(report)
        return [
            Listed(code=b.code, name=b.name, short_name=b.short_name, kind=b.kind.value, part_of=b.parent)
            for b in bodies
        ]
    packed = files("registry").joinpath("data", "bodies.csv.gz").read_bytes()
    rows = csv.DictReader(io.StringIO(territories.unpack(packed, "bodies.csv.gz").decode()), delimiter=";")
    return [
        Listed(
            code=row["code"],
            name=row["name"],
            short_name=row["short_name"],
            kind=row["kind"],
            part_of=row["parent"] or None,
        )
        for row in rows
    ]


def _entries(folder: Path, section: str, leave_out: frozenset[str] = frozenset()) -> Iterator[Mapping[str, Any]]:
    """Entries of a section in the folder's files that have a code; the loader tells what is wrong with the others."""
    for path in yaml_files(folder) if folder.is_dir() else ():
        if path.relative_to(folder).as_posix() in leave_out:
            continue
        data = parse(path.read_text(encoding="utf-8-sig", errors="replace")).data
        entries = data.get(section) if isinstance(data, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("code"), str):
                yield entry


def _reviewed(folder: Path, plan: Plan) -> Reviewed:
    own = frozenset(f"{FOLDER}/{name}.yaml" for name in ("central", *(network.code for network in plan.networks)))
    entries = list(_entries(folder, "authorities", own))
    places = ((str(e.get("kind")), str(e.get("territory"))) for e in entries if e.get("competences"))
    return Reviewed(codes=frozenset(entry["code"] for entry in entries), places=frozenset(places))


def _topics_in(folder: Path) -> dict[str, str | None]:
    """Topics of the folder, or of the starter, which comes with the draft, each with its parent."""
    return _parents(list(_entries(folder, "topics"))) or starter_topics()


def starter_topics() -> dict[str, str | None]:
    """Topics of the starter, each with its parent."""
    return _parents(parse(starter.documents()["topics.yaml"]).data["topics"])


def _parents(entries: Iterable[Mapping[str, Any]]) -> dict[str, str | None]:
    return {entry["code"]: entry.get("parent") for entry in entries}


def _within(rules: Iterable[CompetenceRule], topics: Collection[str]) -> tuple[tuple[CompetenceRule, ...], list[str]]:
    """The rules as far as there are their topics, and topics that are not there."""
    kept, absent = [], set()
    for rule in rules:
        known = tuple(topic for topic in rule.topics if topic == ANY_TOPIC or topic in topics)
        absent.update(set(rule.topics) - set(known))
        if known:
            kept.append(rule.model_copy(update={"topics": known}))
    return tuple(kept), sorted(absent)


def as_text(report: DraftReport) -> str:
    """The report for people: Markdown, so that the loader leaves it alone."""
    lines = [
        "# What `hub registry draft` found",
        "",
        f"Bodies for the whole country: {report.central}. Bodies that no network has: {report.listed}.",
        f"Left to files that were there: {len(report.kept)}.",
        "",
        "| network | found | no more | wait for their code | gaps |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for counts in report.networks.values():
        gaps = ", ".join(counts["gaps"] or counts["awaits"]) or "–"
        lines.append(f"| {counts['name']} | {counts['found']} | {counts['ended']} | {counts['awaited']} | {gaps} |")
    lines += [
        "",
        "| councils of communities | communities | matched | named by an ambiguous entry | wait for their code"
        " | of them with a hint |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for oblast, counts in report.councils.items():
        row = " | ".join(str(counts[key]) for key in ("communities", "matched", "ambiguous", "awaited", "hinted"))
        lines.append(f"| {oblast} | {row} |")
    lines += ["", "Entries of the list that fit several places, and were matched with none:", ""]
    lines += [f"- {entry['code']} {entry['name']}: {'; '.join(entry['fits'])}" for entry in report.ambiguous]
    if report.absent:
        lines += ["", f"Bodies of the plan that the list does not have: {', '.join(report.absent)}."]
    if report.topics_absent:
        lines += ["", f"Topics of the rules that the folder does not have: {', '.join(report.topics_absent)}."]
    if report.idle:
        lines += ["", "Rules that no body answers to:", "", *(f"- {topics}" for topics in report.idle)]
    return "\n".join(lines) + "\n"
