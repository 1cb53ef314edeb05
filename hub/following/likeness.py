"""Likeness of an appeal: repeated, duplicate, many times, or one of a campaign (classifier 858, list 2).

An applicant is recognised by keyed hashes (HMAC-SHA-256, RFC 2104) of the name with a phone, an e-mail address or an
address; without the key nobody can tell from them who it was, nor try names. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hub.following.text import likeness, plain_words
from hub.following.values import Earlier
from hub.schemas.envelope import AppealForm
from hub.schemas.ids import CaseId
from hub.schemas.people import Applicant
from hub.schemas.terms import ReceiptSign

NEAR = 0.75
"""Estimated likeness from which two texts count as the same text."""
LOOK_BACK = timedelta(days=365)
"""How far back an applicant's earlier appeals are looked at."""
_PHONE_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class LikenessVerdict:
    """Likeness of an appeal to the earlier ones of its applicant."""

    sign: ReceiptSign = ReceiptSign.PRIMARY
    of_case: CaseId | None = None
    percent: int | None = None


def text_of(form: AppealForm) -> str:
    """Text to compare: subject and text."""
    return f"{form.subject or ''}\n{form.text}"


def applicant_tokens(applicant: Applicant, key: bytes) -> tuple[str, ...]:
    """Keyed hashes of an applicant, one for each way to recognise him; sorted, none twice.

    A name is taken whole: without its ending Олександр would be Олександра, and Ли or Наш are no words to leave out.
    """
    name = applicant.name
    who = " ".join(plain_words(" ".join(filter(None, (name.surname, name.given, name.patronymic)))))
    if applicant.collective_name:
        who += " / " + " ".join(plain_words(applicant.collective_name))
    made = {hmac.new(key, f"{who}|{mark}".encode(), hashlib.sha256).hexdigest() for mark in _marks(applicant)}
    return tuple(sorted(made))


def _marks(applicant: Applicant) -> Iterator[str]:
    contacts = applicant.contacts
    for phone in contacts.phones if contacts else ():
        yield "phone:" + "".join(filter(str.isdigit, phone))[-_PHONE_DIGITS:]
    for email in contacts.emails if contacts else ():
        yield "email:" + email.casefold()
    if applicant.address.text:
        # Digits are kept here: a house has its number.
        yield f"address:{' '.join(sorted(set(plain_words(applicant.address.text))))}"
    if applicant.born:
        yield f"born:{applicant.born.isoformat()}"


def judge(form: AppealForm, made: bytes | None, earlier: Sequence[Earlier]) -> LikenessVerdict:
    """Compare an appeal with its applicant's earlier ones.

    The same text: duplicate (дублетне). The same subject (first topic and place): repeated (повторне), from the third
    time on many times (неодноразове). Else it is the first.
    """
    for before in earlier:
        alike = likeness(made, before.signature) if made and before.signature else 0.0
        if alike >= NEAR:
            return LikenessVerdict(sign=ReceiptSign.DUPLICATE, of_case=before.case_id, percent=round(alike * 100))
    same = [before for before in earlier if before.topic == form.topics[0] and before.place == form.place]
    if not same:
        return LikenessVerdict()
    sign = ReceiptSign.REPEATED if len(same) == 1 else ReceiptSign.MULTIPLE
    return LikenessVerdict(sign=sign, of_case=same[-1].case_id)


def nearest(made: bytes | None, candidates: Sequence[tuple[CaseId, bytes | None]]) -> tuple[CaseId, float] | None:
    """The first text of a group that this one belongs to, the most alike of the candidates."""
    if made is None:
        return None
    scored = [(likeness(made, other), ref) for ref, other in candidates if other is not None]
    best = max(scored, default=(0.0, None), key=lambda pair: (pair[0], str(pair[1])))
    return (best[1], best[0]) if best[1] is not None and best[0] >= NEAR else None
