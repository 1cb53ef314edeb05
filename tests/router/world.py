"""A small country to route in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from hub.router import Decision, RoutingRequest, Rules, decide
from hub.schemas.directory import Authority, AuthorityKind, AwaitedBody, Channel, Competence, Stage, Topic
from hub.schemas.terms import AppealChannel, AppealKind
from registry import LoadedDirectory
from registry.territories import TerritoryTable, Unit

DAY = date(2025, 6, 2)
OBLAST, DISTRICT, TOWN = "UA46000000000000001", "UA46060000000000001", "UA46060250000000001"
VILLAGE = "UA46060250010000001"
ELSEWHERE = "UA63000000000000001"
TABLE = TerritoryTable(
    [
        Unit(OBLAST, "O", "Область", None),
        Unit(DISTRICT, "P", "Район", OBLAST),
        Unit(TOWN, "H", "Громада", DISTRICT),
        Unit(ELSEWHERE, "O", "Інша", None),
    ]
)
TOPICS = (
    Topic(code="utilities", name="Господарство"),
    Topic(code="heating", name="Тепло", parent="utilities"),
    Topic(code="police", name="Поліція"),
)


def body(
    code: int,
    *topics: str,
    at: str | None = "UA",
    superior: int | None = None,
    successor: int | None = None,
    connected: bool = True,
    kind: AuthorityKind = AuthorityKind.CENTRAL,
    kinds: Sequence[AppealKind] = (),
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> Authority:
    """An authority; ``code`` 1 is 20000001."""
    text = f"2000000{code}"
    return Authority(
        code=text,
        name=f"Орган {code}",
        kind=kind,
        superior=None if superior is None else f"2000000{superior}",
        successor=None if successor is None else f"2000000{successor}",
        territory=at,
        competences=(Competence(topics=topics, kinds=tuple(kinds)),) if topics else (),
        channels=(Channel(id=f"{text}.rest", adapter="rest"),) if connected else (),
        valid_from=valid_from,
        valid_to=valid_to,
    )


def country(
    *authorities: Authority, stages: Iterable[Stage] = (), awaited: Iterable[AwaitedBody] = ()
) -> LoadedDirectory:
    """A directory of them."""
    return LoadedDirectory(authorities=authorities, awaited=awaited, topics=TOPICS, stages=stages, territories=TABLE)


def ask(
    directory: LoadedDirectory,
    *topics: str,
    place: str | None = TOWN,
    to: int | None = None,
    to_kind: AuthorityKind | None = None,
    kind: AppealKind = AppealKind.APPLICATION,
    channel: AppealChannel = AppealChannel.PHONE,
    about: Sequence[int] = (),
    declined: Sequence[int] = (),
    preset: bool = False,
    day: date = DAY,
    rules: Rules | None = None,
) -> Decision:
    """Ask the router."""
    request = RoutingRequest(
        topics=topics or ("heating",),
        place=place,
        addressee=None if to is None else f"2000000{to}",
        addressee_kind=to_kind,
        kind=kind,
        channel=channel,
        about=tuple(f"2000000{code}" for code in about),
        declined=tuple(f"2000000{code}" for code in declined),
        preset=preset,
    )
    return decide(request, directory, day, rules or Rules())


def outcome(decision: Decision) -> tuple[int | None, str]:
    """Number of the authority, and the reason."""
    return (None if decision.authority is None else int(decision.authority[-1]), str(decision.reason))
