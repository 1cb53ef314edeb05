"""How a scenario's lines are read: what happens, and what is expected. A line that is not understood is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from hub.errors import HubError
from hub.ports import Dating, Outcome
from hub.schemas.delivery import FactKind, OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import (
    AnswerBody,
    AnswerEnvelope,
    AppealForm,
    ClarificationBody,
    ClarificationEnvelope,
    ExtensionBody,
    ExtensionEnvelope,
    ReceiptBody,
    ReceiptEnvelope,
    RedirectBody,
    RedirectEnvelope,
    ReturnBody,
    SupplementBody,
    WithdrawalBody,
)
from hub.schemas.kyiv import KYIV, kyiv_day
from hub.schemas.terms import (
    AnswerResult,
    AnswerStage,
    ClarificationStep,
    Conclusion,
    ReceiptStatus,
    RefusalGround,
    Role,
)
from hub.tracking import chain, law
from hub.tracking.clocks import earliest, heard_at
from hub.tracking.state import state_of
from hub.tracking.story import Executor
from hub.tracking.terms import Term, case_facts, terms
from tests.acceptance.processes import until
from tests.scenarios.bodies import CODES, NAMES, TOPICS
from tests.scenarios.bodies import KYIV as KYIV_CITY
from tests.scenarios.world import World, kyiv
from tests.states import derive

STATES = {
    "прийнято хабом": "accepted",
    "визначено виконавця": "routed",
    "надіслано": "sent",
    "доставлено": "delivered",
    "прийнято до розгляду": "received",
    "відмовлено у реєстрації": "refused",
    "зареєстровано": "registered",
    "надіслано за належністю": "redirected",
    "проміжна відповідь": "answered_interim",
    "на доопрацюванні": "returned",
    "розгляд завершено": "concluded",
    "відповідь надано": "answered",
    "відкликано": "withdrawn",
}
EVENTS = {
    "визначено виконавця": FactKind.ROUTED,
    "надіслано": FactKind.SENT,
    "доставлено": FactKind.DELIVERED,
    "прийнято до розгляду": FactKind.ACCEPTED,
    "зареєстровано": FactKind.REGISTERED,
    "відмовлено у реєстрації": FactKind.REFUSED,
    "надіслано за належністю": FactKind.REDIRECTED,
    "відповідь": FactKind.ANSWERED,
    "строк продовжено": FactKind.EXTENDED,
    "питання до заявника": FactKind.CLARIFICATION_ASKED,
    "заявник відповів": FactKind.CLARIFIED,
    "відкликано": FactKind.WITHDRAWN,
    "повернуто на доопрацювання": FactKind.RETURNED_FOR_WORK,
    "доповнено": FactKind.SUPPLEMENTED,
    "передано далі": FactKind.PASSED_ON,
    "не отримано": FactKind.NOT_RECEIVED,
    "передано іншому каналу": FactKind.HANDED_OVER,
    "нагадування про строк": FactKind.TERM_WARNED,
    "строк пропущено": FactKind.TERM_OVERDUE,
    "строк не пропущено": FactKind.TERM_CORRECTED,
    "порушення": FactKind.BREACH,
    "до оператора": FactKind.ESCALATED,
    "оператор діяв": FactKind.RESOLVED,
    "спроба тіньовим каналом": FactKind.SHADOWED,
}
ROLES = {"головний": Role.MAIN, "співвиконавець": Role.CO_EXECUTOR, "для відома": Role.INFORMATION}
TERM_STATES = ("триває", "виконано", "запізно", "прострочено")
GROUNDS = dict(enumerate(RefusalGround, start=1))
RESULTS = {
    "задоволено": AnswerResult.SATISFIED,
    "відмовлено": AnswerResult.DENIED,
    "роз'яснено": AnswerResult.EXPLAINED,
    "повернуто авторові": AnswerResult.RETURNED,
}
BODY = "(" + "|".join(CODES) + ")"
DAY = r"(\d{2}\.\d{2}\.\d{4})"


@dataclass(frozen=True)
class Line:
    """One line of a scenario, with its place for messages."""

    text: str
    place: str


@dataclass
class Step:
    """Something that happens. ``arrives``: when the hub hears of it, if later."""

    at: datetime
    arrives: datetime
    line: Line


@dataclass
class Check:
    """What is expected at a moment."""

    at: datetime
    lines: list[Line] = field(default_factory=list)


@dataclass
class Scenario:
    """One scenario: steps and checks in the order of the text."""

    title: str
    place: str
    law: str = ""
    parts: list[Step | Check] = field(default_factory=list)

    @property
    def steps(self) -> list[Step]:
        """What happens."""
        return [part for part in self.parts if isinstance(part, Step)]

    @property
    def checks(self) -> list[Check]:
        """What is expected."""
        return [part for part in self.parts if isinstance(part, Check)]


_STEP = re.compile(rf"{DAY} (\d\d:\d\d)  ?(.+?)(?: \| дійшло {DAY} (\d\d:\d\d))?")
_CHECK = re.compile(rf"Станом на {DAY} (\d\d:\d\d):")


def load(file: Path) -> Iterator[Scenario]:
    """Scenarios of one file. A line that fits nothing is an error with its place."""
    scenario: Scenario | None = None
    check: Check | None = None
    for number, raw in enumerate(file.read_text("utf-8").splitlines(), start=1):
        text, place = raw.strip(), f"{file.name}:{number}"
        if not text or text.startswith("#"):
            continue
        if text.startswith("Сценарій: "):
            if scenario is not None:
                yield scenario
            scenario, check = Scenario(text.removeprefix("Сценарій: "), place), None
            continue
        assert scenario is not None, f"{place}: a line before the first scenario"
        if text.startswith("Закон: "):
            scenario.law = text.removeprefix("Закон: ")
        elif found := _CHECK.fullmatch(text):
            check = Check(kyiv(found[1], found[2]))
            scenario.parts.append(check)
        elif found := _STEP.fullmatch(text):
            at = kyiv(found[1], found[2])
            arrives = kyiv(found[4], found[5]) if found[4] else at
            scenario.parts.append(Step(at, arrives, Line(found[3], place)))
            check = None
        else:
            assert check is not None, f"{place}: «{text}» is not understood"
            check.lines.append(Line(text, place))
    if scenario is not None:
        yield scenario


# What happens

Doing = Callable[[World, datetime, re.Match[str]], None]
_DOINGS: list[tuple[re.Pattern[str], Doing]] = []


def doing(pattern: str) -> Callable[[Doing], Doing]:
    """Names the sentence that a function carries out."""

    def keep(act: Doing) -> Doing:
        _DOINGS.append((re.compile(pattern), act))
        return act

    return keep


def do(world: World, step: Step) -> None:
    """Carry out one step."""
    for pattern, act in _DOINGS:
        found = pattern.fullmatch(step.line.text)
        if found:
            try:
                act(world, step.at, found)
            except HubError as failure:
                raise AssertionError(f"{step.line.place}: {failure}") from failure
            return
    raise AssertionError(f"{step.line.place}: «{step.line.text}» is not understood")


def day(text: str) -> date:
    """A day as the texts write it."""
    return datetime.strptime(text, "%d.%m.%Y").replace(tzinfo=KYIV).date()


_HOW = {"сайт": "web", "телефон": "phone", "застосунок": "mobile", "пошта": "post"}


def form_of(at: datetime, **said: str) -> AppealForm:
    """The form of an appeal of which a scenario says this much."""
    form: dict[str, Any] = {
        "channel": _HOW[said.pop("як", "сайт")],
        "kind": "application",
        "received_at": at,
        "applicant": {
            "type": "individual",
            "name": {"surname": "Заявниця", "given": "Олена"},
            "address": {"text": "Київ"},
        },
        "topics": [TOPICS[topic] for topic in said.pop("тема", "дороги").split(" і ")],
        "place": KYIV_CITY,
        "text": "Прошу розглянути.",
    }
    if whom := said.pop("кому", None):
        form["addressee"] = {"code": CODES[whom]}
    if told := said.pop("відповів центр", None):
        form["answered"] = {"text": told, "by": "op-17", "at": at}
    if accused := said.pop("скарга на", None):
        form |= {"kind": "complaint", "about": [CODES[accused]]}
    assert not said, said
    return AppealForm.model_validate(json_safe(form), strict=False)


@doing(r"НКЦ подав звернення(?P<more>(?:; [а-яі' ]+: [^;]+)*)")
def _submit(world: World, at: datetime, found: re.Match[str]) -> None:
    said = dict(part.split(": ", 1) for part in found["more"].removeprefix("; ").split("; ") if part)
    world.submit(form_of(at, **said))


def json_safe(form: dict[str, Any]) -> dict[str, Any]:
    """The form with tuples where the model wants them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in form.items()}


_RECEIPTS = {
    "доставлено": ReceiptStatus.DELIVERED,
    "прийнято до розгляду": ReceiptStatus.ACCEPTED,
}


@doing(rf"{BODY}: (доставлено|прийнято до розгляду)")
def _receipt(world: World, at: datetime, found: re.Match[str]) -> None:
    world.say(CODES[found[1]], ReceiptBody(status=_RECEIPTS[found[2]], at=at), ReceiptEnvelope, at)


@doing(rf"{BODY}: зареєстровано № (\S+) від {DAY}")
def _registered(world: World, at: datetime, found: re.Match[str]) -> None:
    body = ReceiptBody(status=ReceiptStatus.REGISTERED, at=at, number=found[2], date=day(found[3]))
    world.say(CODES[found[1]], body, ReceiptEnvelope, at)


@doing(rf"{BODY}: відмова у реєстрації, підстава (\d+|поза переліком)")
def _refused(world: World, at: datetime, found: re.Match[str]) -> None:
    ground = GROUNDS[int(found[2])] if found[2].isdigit() else RefusalGround.OTHER
    body = ReceiptBody(status=ReceiptStatus.REFUSED, at=at, ground=ground)
    world.say(CODES[found[1]], body, ReceiptEnvelope, at)


@doing(rf"{BODY}: (остаточна|проміжна) відповідь № (\S+)(?:, (задоволено|відмовлено|роз'яснено|повернуто авторові))?")
def _answer(world: World, at: datetime, found: re.Match[str]) -> None:
    body = AnswerBody(
        stage=AnswerStage.FINAL if found[2] == "остаточна" else AnswerStage.INTERIM,
        result=RESULTS[found[4] or "роз'яснено"],
        number=found[3],
        date=kyiv_day(at),
        at=at,
        text="Розглянуто.",
    )
    world.say(CODES[found[1]], body, AnswerEnvelope, at)


@doing(rf"{BODY}: у системі, без дати: (прийнято до розгляду|остаточна відповідь)")
def _show(world: World, at: datetime, found: re.Match[str]) -> None:
    accepted = ReceiptBody(status=ReceiptStatus.ACCEPTED, at=at)
    answer = AnswerBody(
        stage=AnswerStage.FINAL,
        result=AnswerResult.EXPLAINED,
        number="55",
        date=kyiv_day(at),
        at=at,
        text="Розглянуто.",
    )
    world.show(CODES[found[1]], accepted if found[2].startswith("прийнято") else answer, Dating.NONE)


@doing(rf"{BODY}: у системі: зареєстровано № (\S+) від {DAY}")
def _show_registered(world: World, _: datetime, found: re.Match[str]) -> None:
    begins = kyiv(found[3], "00:00")
    body = ReceiptBody(status=ReceiptStatus.REGISTERED, at=begins, number=found[2], date=day(found[3]))
    world.show(CODES[found[1]], body, Dating.DAY)


@doing(rf"хаб запитав: {BODY}")
def _look(world: World, _: datetime, found: re.Match[str]) -> None:
    world.ask(CODES[found[1]])


@doing(rf"{BODY}: надіслано за належністю(?:, кому: {BODY})?")
def _redirect(world: World, at: datetime, found: re.Match[str]) -> None:
    body = RedirectBody(at=at, to=CODES[found[2]] if found[2] else None, reason="Не належить до компетенції.")
    world.say(CODES[found[1]], body, RedirectEnvelope, at)


@doing(rf"{BODY}: строк продовжено до {DAY}")
def _extend(world: World, at: datetime, found: re.Match[str]) -> None:
    body = ExtensionBody(at=at, until=day(found[2]), reason="Потрібна перевірка на місці.")
    world.say(CODES[found[1]], body, ExtensionEnvelope, at)


@doing(rf"{BODY}: питання до заявника(?:, відповісти до {DAY})?")
def _ask(world: World, at: datetime, found: re.Match[str]) -> None:
    until = day(found[2]) if found[2] else None
    body = ClarificationBody(step=ClarificationStep.QUESTION, at=at, text="Уточніть адресу.", until=until)
    world.say(CODES[found[1]], body, ClarificationEnvelope, at)


@doing(rf"{BODY}: забрано зі скриньки")
def _fetch(world: World, _: datetime, found: re.Match[str]) -> None:
    world.fetch(CODES[found[1]])


@doing(r"заявник відкликав звернення")
def _withdraw(world: World, at: datetime, _: re.Match[str]) -> None:
    world.tell(WithdrawalBody(at=at))


@doing(r"заявник доповнив звернення")
def _supplement(world: World, at: datetime, _: re.Match[str]) -> None:
    world.tell(SupplementBody(at=at, text="Додаю номер будинку: 1."))


@doing(r"заявник відповів на питання")
def _reply(world: World, at: datetime, _: re.Match[str]) -> None:
    world.tell(ClarificationBody(step=ClarificationStep.REPLY, at=at, text="Вулиця Вигадана, 1."))


@doing(rf"НКЦ повернув відповідь на доопрацювання(?:, строк до {DAY})?")
def _return(world: World, at: datetime, found: re.Match[str]) -> None:
    world.tell(ReturnBody(at=at, reason="Не дано відповіді по суті.", until=day(found[1]) if found[1] else None))


@doing(rf"оператор: (головний|співвиконавець|для відома) {BODY}")
def _assign(world: World, _: datetime, found: re.Match[str]) -> None:
    world.assign(CODES[found[2]], ROLES[found[1]])


@doing(rf"оператор: {BODY}, інший канал (\S+)")
def _channel(world: World, _: datetime, found: re.Match[str]) -> None:
    world.choose_channel(CODES[found[1]], f"{CODES[found[1]]}.{found[2]}")


@doing(r"оператор: питання закрито")
def _close(world: World, _: datetime, __: re.Match[str]) -> None:
    world.operators.close(world.case, by="оператор", resolution="Зроблено.")


@doing(r"оператор: розгляд завершено, (не є зверненням|відповів центр)")
def _conclude(world: World, _: datetime, found: re.Match[str]) -> None:
    decision = Conclusion.NO_APPEAL if found[1] == "не є зверненням" else Conclusion.ANSWERED_BY_CENTRE
    world.operators.conclude(world.case, decision, by="оператор", why="Рішення оператора.")


_FAILING = {
    "не працює": Outcome(kind=OutcomeKind.TEMPORARY, code="http.503"),
    "відкидає": Outcome(kind=OutcomeKind.PERMANENT, code="http.400"),
    # A system in between took it over: sent, and the notice of delivery is still to come.
    "лише приймає": Outcome(kind=OutcomeKind.DELIVERED, proves=LegalClass.SENT),
}


@doing(rf"{BODY}: канал (\S+) (не працює|відкидає|лише приймає|працює|відмовляє, підстава \d+)")
def _break(world: World, _: datetime, found: re.Match[str]) -> None:
    channel = f"{CODES[found[1]]}.{found[2]}"
    if found[3] == "працює":
        world.adapter.outcomes.pop(channel, None)
    elif found[3].startswith("відмовляє"):
        ground = GROUNDS[int(found[3].rsplit(" ", 1)[1])]
        world.adapter.outcomes[channel] = Outcome(kind=OutcomeKind.REFUSED, ground=ground)
    else:
        world.adapter.outcomes[channel] = _FAILING[found[3]]


# What is expected

Seeing = Callable[[World, re.Match[str]], tuple[object, object]]
_SEEINGS: list[tuple[re.Pattern[str], Seeing, bool]] = []


def seeing(pattern: str, *, of_facts: bool = True) -> Callable[[Seeing], Seeing]:
    """Names the sentence that a function looks at: what is there, and what should be. ``of_facts``: it follows from the
    bodies' statements alone, in whatever order they came.
    """

    def keep(look: Seeing) -> Seeing:
        _SEEINGS.append((re.compile(pattern), look, of_facts))
        return look

    return keep


def see(world: World, line: Line, *, of_facts_only: bool = False) -> None:
    """Check one line."""
    for pattern, look, of_facts in _SEEINGS:
        found = pattern.fullmatch(line.text)
        if found:
            if of_facts or not of_facts_only:
                there, wanted = look(world, found)
                assert there == wanted, f"{line.place}: «{line.text}»: {there!r}"
            return
    raise AssertionError(f"{line.place}: «{line.text}» is not understood")


def _named(code: str | None) -> str:
    return NAMES.get(code or "", "ніхто")


def executor(world: World, name: str) -> Executor:
    """The latest assignment of a body."""
    mine = [e for e in world.story.executors if e.authority == CODES[name]]
    assert mine, f"{name} is no executor"
    return mine[-1]


@seeing(r"стан справи: (.+)")
def _state(world: World, found: re.Match[str]) -> tuple[object, object]:
    return derive(world.facts).state.value, STATES[found[1]]


@seeing(r"справа у: (.+)")
def _holder(world: World, found: re.Match[str]) -> tuple[object, object]:
    return _named(world.row.authority), found[1]


@seeing(rf"стан {BODY}: (.+)")
def _body_state(world: World, found: re.Match[str]) -> tuple[object, object]:
    return state_of(executor(world, found[1])).value, STATES[found[2]]


@seeing(rf"роль {BODY}: (.+)")
def _role(world: World, found: re.Match[str]) -> tuple[object, object]:
    return executor(world, found[1]).role, ROLES[found[2]]


@seeing(r"номер: (\S+)")
def _number(world: World, found: re.Match[str]) -> tuple[object, object]:
    return world.row.number, None if found[1] == "немає" else found[1]


@seeing(r"найближчий строк: (.+)")
def _due(world: World, found: re.Match[str]) -> tuple[object, object]:
    due = world.row.due_at
    return (f"{kyiv_day(due):%d.%m.%Y}" if due else "немає"), found[1]


@seeing(r"(не )?прострочено")
def _overdue(world: World, found: re.Match[str]) -> tuple[object, object]:
    due = world.row.due_at
    return due is not None and due < world.clock.time, found[1] is None


def _terms(world: World) -> tuple[Term, ...]:
    rules = law.shipped()
    return terms(case_facts(world.row.case.channel, world.story, rules), rules)


def _term_state(term: Term, now: datetime) -> str:
    if term.met is None:
        return "прострочено" if now > term.due_at else "триває"
    return "виконано" if term.met else "запізно"


@seeing(rf"строк ([a-z_]+)(?: {BODY})?: до {DAY}(?: (\d\d:\d\d))?, ({'|'.join(TERM_STATES)})")
def _term(world: World, found: re.Match[str]) -> tuple[object, object]:
    code = CODES[found[2]] if found[2] else None
    mine = [t for t in _terms(world) if t.rule.code == found[1] and t.authority == code]
    assert mine, "there is no such term"
    last = mine[-1]
    local = last.due_at.astimezone(KYIV)
    there = (f"{local:%d.%m.%Y}", f"{local:%H:%M}" if found[4] else None, _term_state(last, world.clock.time))
    return there, (found[3], found[4], found[5])


@seeing(rf"факт ({'|'.join(EVENTS)}) {BODY}: {DAY} (\d\d:\d\d), почуто {DAY} (\d\d:\d\d)", of_facts=False)
def _both_clocks(world: World, found: re.Match[str]) -> tuple[object, object]:
    fact = _facts(world, found[1], found[2], None)[-1]
    there = tuple(f"{each.astimezone(KYIV):%d.%m.%Y %H:%M}" for each in (fact.at, heard_at(fact)))
    return there, (f"{found[3]} {found[4]}", f"{found[5]} {found[6]}")


@seeing(rf"не раніше ({'|'.join(EVENTS)}) {BODY}: {DAY} (\d\d:\d\d)", of_facts=False)
def _not_before(world: World, found: re.Match[str]) -> tuple[object, object]:
    fact = _facts(world, found[1], found[2], None)[-1]
    return f"{earliest(fact).astimezone(KYIV):%d.%m.%Y %H:%M}", f"{found[3]} {found[4]}"


@seeing(rf"немає строку ([a-z_]+)(?: {BODY})?")
def _no_term(world: World, found: re.Match[str]) -> tuple[object, object]:
    code = CODES[found[2]] if found[2] else None
    return [t for t in _terms(world) if t.rule.code == found[1] and t.authority == code], []


@seeing(r"оператору: (.+)", of_facts=False)
def _items(world: World, found: re.Match[str]) -> tuple[object, object]:
    wanted = [] if found[1] == "нічого" else sorted(found[1].split(", "))
    return sorted(item.reason for item in world.items), wanted


@seeing(r"оператору сказано: (.+)", of_facts=False)
def _detail(world: World, found: re.Match[str]) -> tuple[object, object]:
    return found[1] in " ".join(item.detail for item in world.items), True


@seeing(r"потрібен оператор: (так|ні)", of_facts=False)
def _needs(world: World, found: re.Match[str]) -> tuple[object, object]:
    return world.row.needs_operator, found[1] == "так"


def _facts(world: World, name: str, body: str | None, detail: str | None) -> list[Any]:
    found = [f for f in world.facts if f.kind is EVENTS[name]]
    if body is not None:
        found = [f for f in found if f.authority == CODES[body]]
    if detail is not None:
        found = [f for f in found if detail in f.data.values()]
    return found


def _told(world: World, kind: str) -> int:
    return sum(event.type == kind for event in world.store.events(after=None, limit=500))


_EVENT = rf"подія: ({'|'.join(EVENTS)})(?:, {BODY})?(?:, ([a-z_.0-9]+))?(?:, разів: (\d+))?"


@seeing(_EVENT, of_facts=False)
def _event(world: World, found: re.Match[str]) -> tuple[object, object]:
    number = len(_facts(world, found[1], found[2], found[3]))
    wanted = len(_facts(world, found[1], None, None))
    # Told in order of commit: on PostgreSQL when every older transaction of the server has ended.
    told = partial(_told, world, f"case.{EVENTS[found[1]]}")
    until(lambda: told() == wanted, what="the contact centre heard each fact once: it")
    return (number, int(found[4])) if found[4] else (number > 0, True)


@seeing(rf"немає події: ({'|'.join(EVENTS)})(?:, {BODY})?(?:, ([a-z_.]+))?", of_facts=False)
def _no_event(world: World, found: re.Match[str]) -> tuple[object, object]:
    return _facts(world, found[1], found[2], found[3]), []


@seeing(r"ланцюг: (.+)")
def _chain(world: World, found: re.Match[str]) -> tuple[object, object]:
    hops = chain.hops(world.story)
    there = [_named(hop.came_from) for hop in hops]
    if hops:
        there.append(_named(hops[-1].to))
    return " → ".join(there) or "немає", found[1]


@seeing(r"хто вирішив: (.+)")
def _decided(world: World, found: re.Match[str]) -> tuple[object, object]:
    words = {"authority": "орган", "router": "маршрутизатор", "operator": "оператор", None: "ніхто"}
    return ", ".join(words[hop.decided_by] for hop in chain.hops(world.story)), found[1]


@seeing(rf"рахується копія {BODY}: (\S+)")
def _counts(world: World, found: re.Match[str]) -> tuple[object, object]:
    fact = executor(world, found[1]).counting_copy()
    channels = {d.id: d.channel_id for d in world.store.deliveries(world.case)}
    return fact and fact.delivery_id and channels[fact.delivery_id].split(".")[1], found[2]


@seeing(rf"копій {BODY}: (\d+), одне повідомлення", of_facts=False)
def _copies(world: World, found: re.Match[str]) -> tuple[object, object]:
    copies = executor(world, found[1]).copies
    deliveries = [d for d in world.store.deliveries(world.case) if str(d.id) in copies]
    return (len(deliveries), len({d.message_id for d in deliveries})), (int(found[2]), 1)


@seeing(rf"спроби {BODY}: (.+)", of_facts=False)
def _attempts(world: World, found: re.Match[str]) -> tuple[object, object]:
    mine = [d for d in world.store.deliveries(world.case) if d.authority == CODES[found[1]] and not d.shadow]
    tried = [a.channel_id.split(".")[1] for d in mine for a in world.store.attempts(d.id)]
    return ", ".join(dict.fromkeys(tried)), found[2]


@seeing(rf"{BODY} отримує: (.+)", of_facts=False)
def _gets(world: World, found: re.Match[str]) -> tuple[object, object]:
    kinds = [m.kind.value for m in world.outgoing() if m.recipient == CODES[found[1]]]
    return ", ".join(kinds), found[2]


@seeing(rf"{BODY} нічого не отримує", of_facts=False)
def _gets_nothing(world: World, found: re.Match[str]) -> tuple[object, object]:
    return [m.kind.value for m in world.outgoing() if m.recipient == CODES[found[1]]], []


@seeing(rf"повернень {BODY}: (\d+)")
def _returns(world: World, found: re.Match[str]) -> tuple[object, object]:
    return len(executor(world, found[1]).returns()), int(found[2])


@seeing(r"тіньовий канал: (\S+) — (\d+) з (\d+) однаково", of_facts=False)
def _shadow(world: World, found: re.Match[str]) -> tuple[object, object]:
    mine = [c for c in world.store.compared() if c.shadow.split(".")[1] == found[1]]
    same = sum(c.count for c in mine if c.shadow_state == c.state)
    return (same, sum(c.count for c in mine)), (int(found[2]), int(found[3]))
