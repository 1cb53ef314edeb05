"""``hub route``: ask the router who answers an appeal, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from hub.cli.output import emit, json_option
from hub.cli.registry_folder import load_folder, registry_option
from hub.router import Decision, RoutingRequest, decide
from hub.schemas.directory import AuthorityKind
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import AppealChannel, AppealKind
from registry import LoadedDirectory


@click.group("route")
def route_group() -> None:
    """Ask the router who answers, and why."""


@route_group.command()
@click.option("--topic", "topics", multiple=True, required=True, help="Topic; the main one first. May be repeated.")
@click.option("--place", help="Code of the place in the codifier (UA and 17 digits).")
@click.option("--addressee", help="Code of the body that the applicant asks for.")
@click.option("--addressee-kind", type=click.Choice([k.value for k in AuthorityKind]), help="Kind of body asked for.")
@click.option("--kind", type=click.Choice([k.value for k in AppealKind]), default="application", show_default=True)
@click.option("--channel", type=click.Choice([c.value for c in AppealChannel]), default="phone", show_default=True)
@click.option("--about", multiple=True, help="Code of a body complained of. May be repeated.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Kyiv day [today].")
@registry_option
@json_option
def explain(
    topics: tuple[str, ...],
    place: str | None,
    addressee: str | None,
    addressee_kind: str | None,
    kind: str,
    channel: str,
    about: tuple[str, ...],
    day: datetime | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Tell step by step where an appeal would go. Nothing is sent or kept.

    Exit code 0 whether it goes to an authority or to the operators' queue; 1 if the registry is broken.
    """
    directory = load_folder(folder)
    request = RoutingRequest(
        topics=topics,
        place=place,
        addressee=addressee,
        addressee_kind=AuthorityKind(addressee_kind) if addressee_kind else None,
        kind=AppealKind(kind),
        channel=AppealChannel(channel),
        about=about,
    )
    decision = decide(request, directory, day.date() if day else kyiv_day(datetime.now(UTC)))
    emit(_document(decision), as_json=as_json, lines=_lines(decision, directory))


def _document(decision: Decision) -> dict[str, object]:
    return {
        "authority": decision.authority,
        "channels": list(decision.channel_ids),
        "reason": decision.reason,
        "registry_version": decision.registry_version,
        "passed_over": [{"authority": code, "why": why} for code, why in decision.passed_over],
        "steps": [{"code": step.code, "text": step.text, "data": step.data} for step in decision.steps],
    }


def _lines(decision: Decision, directory: LoadedDirectory) -> list[str]:
    lines = [f"{number}. {step.text}" for number, step in enumerate(decision.steps, start=1)]
    authority = directory.authority(decision.authority) if decision.authority else None
    whither = f"{authority.code} {authority.name}" if authority else "the operators' queue"
    return [*lines, f"→ {whither} (reason: {decision.reason}; registry {decision.registry_version})"]
