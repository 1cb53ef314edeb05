"""The decision. Codes only, one directory, one day; the same question always gets the same answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TypeGuard

from hub.ports import Directory
from hub.router.order import in_order, topic_chain
from hub.router.values import Decision, Reason, RoutingRequest, Rules, Step, StepCode
from hub.schemas.directory import (
    ANY_TOPIC,
    WHOLE_COUNTRY,
    Authority,
    AuthorityKind,
    AwaitedBody,
    Competence,
    Competent,
    addressed_to,
    routed_to,
)
from hub.schemas.terms import AppealKind

_DEFAULT_RULES = Rules()
_REASON_OF_BLOCK = {
    StepCode.ACCUSED: Reason.ONLY_ACCUSED,
    StepCode.DECLINED: Reason.ALL_DECLINED,
    StepCode.NOT_CONNECTED: Reason.NOT_CONNECTED,
    StepCode.AWAITED: Reason.NOT_CONNECTED,
    StepCode.NOT_IN_STAGE: Reason.NOT_IN_STAGE,
}


def decide(request: RoutingRequest, directory: Directory, day: date, rules: Rules = _DEFAULT_RULES) -> Decision:
    """Decide who answers this appeal on this Kyiv calendar day. Never raises: what has no way goes to the operators."""
    return _Search(request, directory, day, rules).run()


def accused_above(request: RoutingRequest, authority: Authority, directory: Directory, day: date) -> str | None:
    """The body that a complaint is about, if it is this one or stands above it: it must not get it (article 7)."""
    return _Search(request, directory, day, _DEFAULT_RULES).barring(authority)


class _Search:
    """The working state of one decision."""

    __slots__ = (
        "_accused",
        "_blocked",
        "_day",
        "_directory",
        "_kind",
        "_levels",
        "_of_other_kind",
        "_request",
        "_steps",
        "_unreached",
    )

    def __init__(self, request: RoutingRequest, directory: Directory, day: date, rules: Rules) -> None:
        self._request = request
        self._directory = directory
        self._day = day
        self._steps: list[Step] = []
        self._blocked: list[StepCode] = []
        self._of_other_kind = False
        self._unreached = False  # somebody is competent, and neither that body nor one above it can be sent to
        complaint = rules.not_to_the_accused and request.kind is AppealKind.COMPLAINT
        self._accused = self._with_successors(request.about) if complaint and request.about else frozenset[str]()
        self._kind = request.addressee_kind  # the kind of body asked for, as long as the stages let it count
        self._levels = directory.ancestry(request.place) if request.place is not None else ()

    def run(self) -> Decision:
        if self._request.place is None:
            self._say(StepCode.PLACE_ABSENT)
        elif not self._levels:
            self._say(StepCode.PLACE_UNKNOWN, self._request.place)
        if self._kind is not None and not self._addressable(self._kind):
            self._say(StepCode.KIND_NOT_ADDRESSED, self._kind.value, self._request.channel.value)
            self._kind = None
        decision = self._by_request() if self._request.addressee is not None else None
        return decision or self._by_competence() or self._give_up()

    # -- the addressee asked for

    def _by_request(self) -> Decision | None:
        asked = self._asked_for()
        if asked is None:
            return None
        if self.barring(asked) is not None:
            self._blocked_by(asked)
            return self._stand_in(asked)  # whom the complaint is about, the superior body judges
        if not self._request.forwarded and not self._addressable(asked.kind):
            self._say(StepCode.REQUESTED_NOT_ADDRESSED, asked.code, asked.kind.value, self._request.channel.value)
            return None
        unlisted = all(competence.on_request for competence in asked.competences)
        if unlisted and not self._request.preset:
            self._say(StepCode.REQUESTED_UNLISTED, asked.code)
        elif self._covers(asked):
            self._say(StepCode.REQUESTED_COMPETENT, asked.code)
        else:  # what nobody listed decides for the applicant's own wish only
            self._say(StepCode.REQUESTED_PRESET if unlisted else StepCode.REQUESTED_NOT_COMPETENT, asked.code)
            return None
        if self._blocked_by(asked):
            return self._stand_in(asked) if asked.code not in self._request.declined else None
        followed = asked.code != self._request.addressee
        return self._send(asked, Reason.REQUESTED_SUCCESSOR if followed else Reason.REQUESTED)

    def _asked_for(self) -> Authority | None:
        code = self._request.addressee or ""
        asked = self._directory.authority(code)
        if asked is None:
            self._say(StepCode.REQUESTED_UNKNOWN, code)
            return None
        current = self._in_force(asked)
        if current is None:
            self._say(StepCode.REQUESTED_NOT_IN_FORCE, code)
        elif current is not asked:
            self._say(StepCode.SUCCESSOR_FOLLOWED, code, current.code)
        return current

    def _covers(self, authority: Authority) -> bool:
        topics = {*self._topics(), ANY_TOPIC}
        named = {*self._request.topics, ANY_TOPIC}
        places = set(self._levels)
        return any(
            not (topics if competence.subtopics else named).isdisjoint(competence.topics)
            and (not places or not places.isdisjoint(competence.territories or (authority.territory,)))
            for competence in authority.competences
            if self._holds(competence)
        )

    def _holds(self, competence: Competence) -> bool:
        return (not competence.kinds or self._request.kind in competence.kinds) and competence.holds_on(self._day)

    # -- competence: from the place upward, at each level the narrowest topic first

    def _by_competence(self) -> Decision | None:
        """By the first topic that anybody is named for; by ``*``, which takes what nobody is named for, last.

        Whoever is competent and cannot be reached is not passed by for a wider topic or another question: that body
        has no right to what the applicant told.
        """
        levels = self._levels or (WHOLE_COUNTRY,)
        for topic in self._request.topics:
            decision = self._for_topic(self._chain(topic), levels)
            if decision is not None or self._unreached:
                return decision
        return self._for_topic((ANY_TOPIC,), levels)

    def _for_topic(self, chain: Sequence[str], levels: tuple[str, ...]) -> Decision | None:
        nobody, widest = set(chain), len(chain)
        for width, territory, found in in_order(self._directory, chain, levels, self._request.kind, self._day):
            if width >= widest:
                continue
            topic = chain[width]
            nobody.discard(topic)
            fitting = self._of_kind(found, topic, territory)
            decision = self._among(fitting, topic, territory)
            if decision is not None:
                return decision
            if any(body.code not in self._request.declined for body in fitting):
                self._unreached = True
                widest = width + 1  # a farther body of this topic is competent too, one of a wider topic is not
        for topic in chain[:widest]:
            if topic in nobody:
                self._say(StepCode.NONE_FOR_TOPIC, topic, levels[0])
        return None

    def _of_kind(self, found: tuple[Competent, ...], topic: str, territory: str) -> tuple[Competent, ...]:
        kind = self._kind
        if kind is None:
            return found
        fitting = tuple(authority for authority in found if authority.kind is kind)
        if not fitting:
            self._of_other_kind = True
            self._say(StepCode.NONE_OF_KIND, topic, territory, kind.value)
        return fitting

    def _among(self, candidates: tuple[Competent, ...], topic: str, territory: str) -> Decision | None:
        if not candidates:
            return None
        self._say(StepCode.CANDIDATES, topic, territory, ", ".join(a.code for a in candidates))
        open_ones = [body for body in candidates if self._is_open(body)]
        if open_ones:
            chosen = self._one_of(open_ones, topic, territory)
            return self._send(chosen, Reason.COMPETENCE) if chosen else self._to_operators(Reason.AMBIGUOUS)
        return self._stand_in_for_one_of([c for c in candidates if c.code not in self._request.declined])

    def _one_of(self, several: Sequence[Authority], topic: str, territory: str) -> Authority | None:
        """The tie rule: named for this kind of appeal; else superior to all others; else nobody, a person decides."""
        if len(several) == 1:
            return several[0]
        named = [authority for authority in several if self._names_kind(authority, topic, territory)]
        if len(named) == 1:
            self._say(StepCode.KIND_NAMED, named[0].code, self._request.kind.value)
            return named[0]
        return self._superior_of_all(named or several)

    def _names_kind(self, authority: Authority, topic: str, territory: str) -> bool:
        return any(
            competence.kinds
            and not competence.on_request
            and topic in competence.topics
            and territory in (competence.territories or (authority.territory,))
            and self._holds(competence)
            for competence in authority.competences
        )

    def _superior_of_all(self, several: Sequence[Authority]) -> Authority | None:
        codes = {authority.code for authority in several}
        above = [{a.code for a in self._upward(authority)} for authority in several]
        for authority in several:
            if all(authority.code in chain for chain in above):
                self._say(StepCode.SUPERIOR_OF_ALL, authority.code)
                return authority
        self._say(StepCode.TIE, ", ".join(sorted(codes)))
        return None

    # -- superior bodies

    def _stand_in_for_one_of(self, candidates: Sequence[Competent]) -> Decision | None:
        found = [(candidate, self._first_open_above(candidate)) for candidate in candidates]
        stand_ins = {above.code: above for _, above in found if above is not None}
        if not stand_ins:
            for candidate in candidates:
                self._say(StepCode.NO_STAND_IN, candidate.code)
            return None
        several = list(stand_ins.values())
        chosen = several[0] if len(several) == 1 else self._superior_of_all(several)
        if chosen is None:
            return self._to_operators(Reason.AMBIGUOUS)
        below = [candidate for candidate, above in found if above is not None]
        return self._send_superior(chosen, below)

    def _stand_in(self, authority: Authority) -> Decision | None:
        above = self._first_open_above(authority)
        if above is None:
            self._say(StepCode.NO_STAND_IN, authority.code)
            return None
        return self._send_superior(above, [authority])

    def _send_superior(self, above: Authority, below: Sequence[Competent]) -> Decision:
        self._say(StepCode.STANDS_IN, above.code, ", ".join(authority.code for authority in below))
        accused = any(self.barring(authority) is not None for authority in below)
        return self._send(above, Reason.SUPERIOR_OF_ACCUSED if accused else Reason.SUPERIOR)

    def _first_open_above(self, body: Competent) -> Authority | None:
        return next((above for above in self._upward(body)[1:] if self._is_open(above)), None)

    # -- what bars an authority

    def _is_open(self, body: Competent) -> TypeGuard[Authority]:
        return not self._blocked_by(body)

    def _blocked_by(self, authority: Competent) -> bool:
        """True if nothing can be sent to it; notes why."""
        accused = self.barring(authority)
        if accused is not None:
            self._block(StepCode.ACCUSED, authority.code, accused)
        elif isinstance(authority, AwaitedBody):
            self._block(StepCode.AWAITED, authority.code, authority.name)
        elif authority.code in self._request.declined:
            self._block(StepCode.DECLINED, authority.code)
        elif not authority.holds_on(self._day):
            self._block(StepCode.NOT_IN_FORCE, authority.code)
        elif not authority.ways(self._day):
            self._block(StepCode.NOT_CONNECTED, authority.code)
        elif not self._taken(authority):
            self._block(StepCode.NOT_IN_STAGE, authority.code, authority.kind.value, self._request.channel.value)
        else:
            return False
        return True

    def barring(self, authority: Competent) -> str | None:
        """The accused body that this one is, or is subordinate to."""
        if not self._accused:
            return None
        return next((above.code for above in self._upward(authority) if above.code in self._accused), None)

    def _addressable(self, kind: AuthorityKind) -> bool:
        return addressed_to(self._directory.stages(), kind, self._request.channel, self._day)

    def _taken(self, authority: Authority) -> bool:
        return routed_to(self._directory.stages(), authority.kind, self._request.channel, self._day)

    # -- the registry's threads

    def _topics(self) -> Iterator[str]:
        """The topics in order, each followed by its parents."""
        for code in self._request.topics:
            yield from self._chain(code)

    def _chain(self, topic: str) -> tuple[str, ...]:
        """A topic and its parents; notes those that the registry does not know."""
        chain = topic_chain(self._directory, topic)
        if self._directory.topic(chain[-1]) is None:
            self._say_once(StepCode.TOPIC_UNKNOWN, chain[-1])
        return chain

    def _in_force(self, authority: Authority) -> Authority | None:
        """It, or the first successor that is in force on the day."""
        seen: set[str] = set()
        at: Authority | None = authority
        while at is not None and at.code not in seen:
            if at.holds_on(self._day):
                return at
            seen.add(at.code)
            at = self._directory.authority(at.successor) if at.successor is not None else None
        return None

    def _with_successors(self, codes: Sequence[str]) -> frozenset[str]:
        """A body that has ended is complained of in its successor too: it is the same body under another code."""
        reached: set[str] = set()
        for code in codes:
            at: str | None = code
            while at is not None and at not in reached:
                reached.add(at)
                authority = self._directory.authority(at)
                at = authority.successor if authority is not None else None
        return frozenset(reached)

    def _upward(self, authority: Competent) -> list[Competent]:
        """It and all bodies above it, nearest first. One that has ended is followed by its successor in force."""
        chain: list[Competent] = [authority]
        seen = {authority.code}
        for body in chain:  # grows while it is walked; a circle ends because nothing is taken twice
            ended = self._in_force(body) if isinstance(body, Authority) and not body.holds_on(self._day) else None
            superior = self._directory.authority(body.superior) if body.superior is not None else None
            for above in (ended, superior):
                if above is not None and above.code not in seen:
                    seen.add(above.code)
                    chain.append(above)
        return chain

    # -- the end

    def _send(self, authority: Authority, reason: Reason) -> Decision:
        channels = tuple(channel.id for channel in authority.ways(self._day))
        self._say(StepCode.TO_AUTHORITY, authority.code, ", ".join(channels))
        return self._decision(authority.code, channels, reason)

    def _give_up(self) -> Decision:
        for block in self._blocked:  # what barred the first body that was looked at says why
            if block in _REASON_OF_BLOCK:
                return self._to_operators(_REASON_OF_BLOCK[block])
        if not self._levels:
            missing = self._request.place is None
            return self._to_operators(Reason.PLACE_NEEDED if missing else Reason.PLACE_UNKNOWN)
        return self._to_operators(Reason.NO_COMPETENT_OF_KIND if self._of_other_kind else Reason.NO_COMPETENT)

    def _to_operators(self, reason: Reason) -> Decision:
        self._say(StepCode.TO_OPERATORS, reason.value)
        return self._decision(None, (), reason)

    def _decision(self, authority: str | None, channel_ids: tuple[str, ...], reason: Reason) -> Decision:
        return Decision(
            authority=authority,
            channel_ids=channel_ids,
            reason=reason,
            steps=tuple(self._steps),
            registry_version=self._directory.version,
        )

    def _block(self, code: StepCode, *values: str) -> None:
        self._blocked.append(code)
        self._say_once(code, *values)

    def _say(self, code: StepCode, *values: str) -> None:
        self._steps.append(Step(code, values))

    def _say_once(self, code: StepCode, *values: str) -> None:
        step = Step(code, values)
        if step not in self._steps:
            self._steps.append(step)
