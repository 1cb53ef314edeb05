"""Linking: the appeals of one step compared with what is known and with each other, in the order in which they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hub.following.digest import OBLAST_CHARS
from hub.following.likeness import LOOK_BACK, LikenessVerdict, applicant_tokens, judge, nearest, text_of
from hub.following.ports import Insights
from hub.following.text import bands, shingles, signature, words
from hub.following.values import Band, Campaign, Earlier, KnownApplicant, Likeness
from hub.schemas.delivery import CaseRow, Fact, FactKind, Source
from hub.schemas.envelope import AppealEnvelope, AppealForm
from hub.schemas.ids import CaseId
from hub.schemas.terms import ReceiptSign

FEWEST_WORDS = 6
"""Shorter texts say too little to be called the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Appeal:
    """An appeal made comparable."""

    row: CaseRow
    form: AppealForm
    signature: bytes | None
    bands: tuple[int, ...]
    tokens: tuple[str, ...]

    @property
    def space(self) -> str:
        """Texts of one contact centre are compared with each other only."""
        return f"appeals:{self.row.case.owner}"


class Linker:
    """Links the appeals of one step. Afterwards its attributes hold all that is to be written."""

    def __init__(self, insights: Insights, *, key: bytes, mass_least: int) -> None:
        self._insights = insights
        self._key = key
        self._least = mass_least
        self._likenesses: dict[CaseId, Likeness] = {}
        self._bands: dict[tuple[str, int], list[Band]] = {}
        self._applicants: dict[str, list[KnownApplicant]] = {}
        self._campaigns: dict[CaseId, Campaign] = {}
        self._facts: list[Fact] = []
        self._stored: Mapping[str, tuple[Earlier, ...]] = {}
        self._near: dict[tuple[str, int], tuple[CaseId, ...]] = {}
        self._known: dict[CaseId, Likeness] = {}

    @property
    def likenesses(self) -> tuple[Likeness, ...]:
        """Likeness of each appeal."""
        return tuple(self._likenesses.values())

    @property
    def bands(self) -> tuple[Band, ...]:
        """Bands of texts that began a group."""
        return tuple(band for found in self._bands.values() for band in found)

    @property
    def applicants(self) -> tuple[KnownApplicant, ...]:
        """Keyed hashes of the applicants."""
        return tuple(applicant for found in self._applicants.values() for applicant in found)

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        """Groups that grew."""
        return tuple(self._campaigns.values())

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Facts that the contact centre hears."""
        return tuple(self._facts)

    def link(self, appeals: Sequence[tuple[CaseRow, AppealEnvelope]]) -> None:
        """Compare each with those before it. Appeals that were linked earlier are left out."""
        known = self._insights.likenesses([row.case.id for row, _ in appeals])
        fresh = [self._looked(row, envelope.body) for row, envelope in appeals if row.case.id not in known]
        self._fetch(fresh)
        for appeal in fresh:
            self._one(appeal)

    def _looked(self, row: CaseRow, form: AppealForm) -> _Appeal:
        stems = words(text_of(form))
        made = signature(shingles(stems)) if len(stems) >= FEWEST_WORDS else None
        return _Appeal(
            row=row,
            form=form,
            signature=made,
            bands=bands(made) if made is not None else (),
            tokens=applicant_tokens(form.applicant, self._key),
        )

    def _fetch(self, appeals: Sequence[_Appeal]) -> None:
        """All that is stored of what these may be like, in a few questions."""
        if not appeals:
            return
        tokens = sorted({token for appeal in appeals for token in appeal.tokens})
        self._stored = self._insights.earlier(tokens, min(a.row.case.created_at for a in appeals) - LOOK_BACK)
        for space in {appeal.space for appeal in appeals}:
            wanted = sorted({band for appeal in appeals if appeal.space == space for band in appeal.bands})
            for band, refs in self._insights.near(space, wanted).items():
                self._near[space, band] = refs
        firsts = {ref for refs in self._near.values() for ref in refs}
        self._known |= self._insights.likenesses(sorted(firsts))

    def same(self, one: CaseId, other: CaseId) -> bool:
        """True if two cases ask the same: one case, one group, or one a duplicate of the other."""
        if one == other:
            return True
        known = self._insights.likenesses([case for case in (one, other) if case not in self._likenesses])
        first, second = (self._likenesses.get(case) or known.get(case) for case in (one, other))
        if first is None or second is None:
            return False
        grouped = first.group_id is not None and first.group_id == second.group_id
        return grouped or other in (first.of_case,) or one in (second.of_case,)

    def _one(self, appeal: _Appeal) -> None:
        row, case, form = appeal.row, appeal.row.case, appeal.form
        verdict = judge(form, appeal.signature, self._earlier(appeal))
        group = None if verdict.sign is ReceiptSign.DUPLICATE else self._group(appeal)
        self._likenesses[case.id] = Likeness(
            case_id=case.id,
            owner=case.owner,
            at=case.created_at,
            sign=self._sign(verdict, group),
            of_case=verdict.of_case,
            group_id=group,
            percent=verdict.percent,
            signature=appeal.signature,
        )
        for token in appeal.tokens:
            mine = KnownApplicant(
                token=token, case_id=case.id, at=case.created_at, topic=form.topics[0], place=form.place
            )
            self._applicants.setdefault(token, []).append(mine)
        self._tell(row, verdict, group)

    def _earlier(self, appeal: _Appeal) -> list[Earlier]:
        """Earlier appeals of the applicant, by time: stored ones, and those of this step."""
        since = appeal.row.case.created_at - LOOK_BACK
        stored = (before for token in appeal.tokens for before in self._stored.get(token, ()) if before.at >= since)
        found = {before.case_id: before for before in stored}
        for token in appeal.tokens:
            for mine in self._applicants.get(token, ()):
                made = self._likenesses[mine.case_id].signature
                found[mine.case_id] = Earlier(
                    case_id=mine.case_id, at=mine.at, topic=mine.topic, place=mine.place, signature=made
                )
        found.pop(appeal.row.case.id, None)
        return sorted(found.values(), key=lambda before: (before.at, before.case_id))

    def _group(self, appeal: _Appeal) -> CaseId | None:
        """The group of like texts that an appeal joins; it begins one of its own if there is none."""
        if appeal.signature is None:
            return None
        row, keys = appeal.row, [(appeal.space, band) for band in appeal.bands]
        refs = {CaseId(ref) for key in keys for ref in self._near.get(key, ())}
        refs |= {CaseId(band.ref) for key in keys for band in self._bands.get(key, ())}
        refs.discard(row.case.id)
        firsts = {ref: first for ref in refs if (first := self._likenesses.get(ref) or self._known.get(ref))}
        found = nearest(appeal.signature, [(ref, first.signature) for ref, first in firsts.items()])
        if found is None:
            for space, number in keys:
                band = Band(space=space, band=number, ref=row.case.id, at=row.case.created_at)
                self._bands.setdefault((space, number), []).append(band)
            return row.case.id
        self._grow(found[0], row, firsts[found[0]])
        return found[0]

    def _grow(self, group: CaseId, row: CaseRow, first: Likeness) -> None:
        place = row.case.place
        grown = (
            self._campaigns.get(group)
            or self._insights.campaign(group)
            or Campaign(
                id=group,
                owner=row.case.owner,
                topic=row.case.topics[0],
                oblast=place[:OBLAST_CHARS] if place else None,
                size=1,
                started_at=first.at,
                last_at=first.at,
            )
        )
        self._campaigns[group] = replace(grown, size=grown.size + 1, last_at=max(grown.last_at, row.case.created_at))

    def _size(self, group: CaseId | None) -> int:
        if group is None or group not in self._campaigns:
            return 1
        return self._campaigns[group].size

    def _sign(self, verdict: LikenessVerdict, group: CaseId | None) -> str:
        if verdict.sign is ReceiptSign.PRIMARY and self._size(group) >= self._least:
            return ReceiptSign.MASS.value
        return verdict.sign.value

    def _tell(self, row: CaseRow, verdict: LikenessVerdict, group: CaseId | None) -> None:
        """State what was found: the link to an earlier appeal, and membership from the size of a campaign on."""
        if verdict.of_case is not None:
            data = {"sign": verdict.sign.value, "to": str(verdict.of_case)}
            if verdict.percent is not None:
                data["percent"] = str(verdict.percent)
            self._facts.append(_linked(row.case.id, row.case.created_at, data))
        if group is None or self._size(group) < self._least:
            return
        members = {row.case.id: row.case.created_at}
        if self._size(group) == self._least:
            members |= self._members(group)
        for case, at in members.items():
            self._facts.append(_linked(case, at, {"sign": ReceiptSign.MASS.value, "group": str(group)}))

    def _members(self, group: CaseId) -> dict[CaseId, datetime]:
        """Members until now: those stored and those of this step."""
        stored = self._insights.likenesses(self._insights.members(group, limit=self._least))
        mine = [known for known in self._likenesses.values() if known.group_id == group]
        return {known.case_id: known.at for known in (*stored.values(), *mine)}


def _linked(case_id: CaseId, at: datetime, data: dict[str, str]) -> Fact:
    """Dated by the appeal itself, so that a step done again states the same."""
    return Fact(kind=FactKind.LINKED, case_id=case_id, at=at, source=Source.HUB, data=data)
