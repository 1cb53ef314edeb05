"""The bodies of the scenarios, by the names that the texts call them, and a registry of them."""

from __future__ import annotations

from datetime import date

from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, LaneSettings, LegalClass, Stage
from hub.schemas.terms import AppealChannel
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped

KYIV = "UA80000000000093317"
_LANE = LaneSettings(retry_secs=(3_600,), give_up_secs=36_000)

CODES = {
    "кабмін": "00031101",
    "міністерство": "00013480",
    "агентство": "37641918",
    "управління": "03449841",
    "міськрада": "22883141",
    "департамент": "03327664",
    "поліція": "40108578",
    "банк": "00032106",
    "служба": "00035323",
    "фонд": "21560766",
    "бюро": "00022562",
    "суд": "02896693",
}
NAMES = {code: name for name, code in CODES.items()}
TOPICS = {
    "дороги": "transport.roads",
    "транспорт": "transport",
    "опалення": "utilities.heating",
    "поліція": "law-and-order.police",
    "банки": "finance.banking",
    "пенсії": "social-protection.pensions",
    "пільги": "social-protection",
    "земля": "land",
    "суди": "courts",
    "музеї": "culture.museums",
}


def _channel(code: str, name: str, *, legal: LegalClass = LegalClass.REGISTERED, **more: object) -> Channel:
    pulled, shadow = bool(more.get("pulled")), bool(more.get("shadow"))
    return Channel(
        id=f"{code}.{name}",
        adapter="scripted",
        legal_class=legal,
        settings={"pulled": True} if pulled else {},
        lane=_LANE,
        shadow=shadow,
    )


def _body(
    name: str,
    kind: AuthorityKind,
    superior: str | None,
    topics: tuple[str, ...],
    channels: tuple[Channel, ...],
    territory: str = "UA",
) -> Authority:
    code = CODES[name]
    return Authority(
        code=code,
        name=name.capitalize(),
        short_name=name,
        kind=kind,
        superior=CODES[superior] if superior else None,
        territory=territory,
        competences=(Competence(topics=tuple(TOPICS[topic] for topic in topics)),) if topics else (),
        channels=channels,
    )


def _direct(name: str) -> tuple[Channel, ...]:
    return (_channel(CODES[name], "пряме".translate(_LATIN)),)


_LATIN = str.maketrans({"п": "p", "р": "r", "я": "ia", "м": "m", "е": "e"})
K = AuthorityKind


def registry() -> FixedRegistry:
    """Twelve bodies. ``служба``: a mailbox that it fetches from, then a direct channel. ``фонд``: a channel that brings
    no notice. ``бюро``: a mailbox only. ``управління``: not connected. ``суд``: not before the second stage.
    """
    service, fund, bureau, bank = (CODES[name] for name in ("служба", "фонд", "бюро", "банк"))
    bodies = (
        _body("кабмін", K.CABINET, None, (), _direct("кабмін")),
        _body("міністерство", K.CENTRAL, "кабмін", ("транспорт",), _direct("міністерство")),
        _body("агентство", K.CENTRAL, "міністерство", ("дороги", "транспорт"), _direct("агентство")),
        _body("управління", K.TERRITORIAL, "агентство", ("земля",), ()),
        _body("міськрада", K.LOCAL_SELF_GOVERNMENT, None, ("опалення",), _direct("міськрада"), KYIV),
        _body("департамент", K.LOCAL_SELF_GOVERNMENT, "міськрада", (), _direct("департамент"), KYIV),
        _body(
            "поліція",
            K.LAW_ENFORCEMENT,
            "кабмін",
            ("поліція",),
            (*_direct("поліція"), _channel(CODES["поліція"], "druge")),
        ),
        _body(
            "банк",
            K.NATIONAL_BANK,
            None,
            ("банки",),
            (*_direct("банк"), _channel(bank, "nove", shadow=True)),
        ),
        _body(
            "служба",
            K.CENTRAL,
            "міністерство",
            ("пенсії",),
            (_channel(service, "skrynka", pulled=True), _channel(service, "priame")),
        ),
        _body("фонд", K.CENTRAL, "міністерство", ("пільги",), (_channel(fund, "lyst", legal=LegalClass.SENT),)),
        _body("бюро", K.CENTRAL, "міністерство", ("музеї",), (_channel(bureau, "skrynka", pulled=True),)),
        _body("суд", K.COURT, None, ("суди",), _direct("суд")),
    )
    every = tuple(AppealChannel)
    others = tuple(kind for kind in AuthorityKind if kind is not AuthorityKind.COURT)
    stages = (
        Stage(stage=1, from_day=date(2016, 1, 1), channels=every, addressed=others, routed=others),
        Stage(
            stage=2,
            from_day=date(2027, 1, 1),
            channels=every,
            addressed=tuple(AuthorityKind),
            routed=tuple(AuthorityKind),
        ),
    )
    return FixedRegistry(LoadedDirectory(authorities=bodies, stages=stages, territories=shipped()))
