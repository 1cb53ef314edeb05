"""Made-up appeals, as many as wanted, the same again from the same seed. Phones and addresses of mail are nobody's.

Kinds and signs are weighted as one ministry counted them (January 2018, 221 appeals: 139 applications, 58 complaints,
24 proposals; 194 first, 15 repeated, 12 many times). That ministry got most by post and from other bodies; a contact
centre is called, so channels have weights of our own: calls first, then web, mobile, e-mail, other centres, letters.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from hub.errors import InvalidInput
from hub.schemas.envelope import AppealForm
from hub.schemas.people import Address, Applicant, Contacts, PersonName
from hub.schemas.terms import BY_PHONE, AppealChannel, AppealKind, ApplicantType, ReceiptSign, ReplyChannel, Sex
from hub.simulator.words import fill, vocabulary

START: Final = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
KINDS: Final = {AppealKind.APPLICATION: 139, AppealKind.COMPLAINT: 58, AppealKind.PROPOSAL: 24}
SIGNS: Final = {ReceiptSign.PRIMARY: 194, ReceiptSign.REPEATED: 15, ReceiptSign.MULTIPLE: 12}
CHANNELS: Final = {
    AppealChannel.PHONE: 50,
    AppealChannel.WEB: 25,
    AppealChannel.MOBILE: 12,
    AppealChannel.EMAIL: 8,
    AppealChannel.CONTACT_CENTRE: 3,
    AppealChannel.POST: 2,
}
_COLLECTIVE_PERCENT = 6
_REPLIES: Final = {
    AppealChannel.PHONE: (ReplyChannel.PHONE, ReplyChannel.POST),
    AppealChannel.CONTACT_CENTRE: (ReplyChannel.PHONE,),
    AppealChannel.WEB: (ReplyChannel.WEB, ReplyChannel.EMAIL),
    AppealChannel.MOBILE: (ReplyChannel.MOBILE,),
    AppealChannel.EMAIL: (ReplyChannel.EMAIL,),
    AppealChannel.POST: (ReplyChannel.POST,),
}


def generate(
    n: int, seed: int, topics: Sequence[str], places: Sequence[str], start: datetime = START
) -> Iterator[AppealForm]:
    """``n`` appeals about ``topics`` (codes, the likelier the earlier) in ``places`` (community codes of КАТОТТГ).

    Each depends on the seed and its own number only: the first ten of a thousand are the ten of a run of ten.
    No places: nobody says where. ``start``: when the first was received; the others follow within seconds. Raises
    ``InvalidInput`` without topics.
    """
    if not topics:
        raise InvalidInput("Appeals need at least one topic.")
    weights = [1 / (rank + 2) for rank in range(len(topics))]
    for index in range(n):
        throw = random.Random(f"{seed}:{index}")  # noqa: S311 - repeats itself on purpose
        topic = throw.choices(topics, weights)[0]
        yield _appeal(throw, index, seed, topic, throw.choice(places) if places else None, start)


def _appeal(throw: random.Random, index: int, seed: int, topic: str, place: str | None, start: datetime) -> AppealForm:
    words = vocabulary()
    channel = throw.choices(list(CHANNELS), list(CHANNELS.values()))[0]
    kind = throw.choices(list(KINDS), list(KINDS.values()))[0]
    subject, text = throw.choice(texts(topic))
    by_call = channel in BY_PHONE
    return AppealForm(
        channel=channel,
        kind=kind,
        sign=throw.choices(list(SIGNS), list(SIGNS.values()))[0],
        received_at=start + timedelta(seconds=index * 2 + throw.randrange(2)),
        reference=f"НКЦ-{seed}-{index + 1:06d}",
        applicant=_applicant(throw, index, place, channel),
        topics=(topic,),
        place=place,
        subject=subject,
        text=f"{fill(text, throw.randint(2, 9))} {throw.choice(words.demands[kind])}",
        reply_by=(throw.choice(_REPLIES[channel]),),
        operator_notes=throw.choice(words.notes) if by_call and throw.random() < 0.3 else None,
    )


def texts(topic: str) -> tuple[tuple[str, str], ...]:
    """Subjects and texts for a topic: its own, its parent's, or those for anything else."""
    known = vocabulary().topics
    while topic and topic not in known:
        topic = topic.rpartition(".")[0]
    return known[topic or "other"]


def _applicant(throw: random.Random, index: int, place: str | None, channel: AppealChannel) -> Applicant:
    words = vocabulary()
    female = throw.random() < 0.6
    collective = throw.random() * 100 < _COLLECTIVE_PERCENT
    street, house = throw.choice(words.streets), throw.randint(1, 120)
    return Applicant(
        type=ApplicantType.COLLECTIVE if collective else ApplicantType.INDIVIDUAL,
        name=PersonName(
            surname=throw.choice(words.surnames)[female],
            given=throw.choice(words.given_female if female else words.given_male),
            patronymic=throw.choice(words.patronymics)[female],
        ),
        collective_name=f"Мешканці будинку № {house}, {street}" if collective else None,
        signatories=throw.randint(5, 80) if collective else None,
        address=Address(
            territory=place,
            postcode=f"{throw.randint(1_000, 99_999):05d}",
            text=f"{street}, буд. {house}, кв. {throw.randint(1, 90)}",
        ),
        contacts=_contacts(throw, index, channel),
        sex=Sex.FEMALE if female else Sex.MALE,
        born=date(throw.randint(1940, 2005), throw.randint(1, 12), throw.randint(1, 28)),
        social_status=throw.choice(words.social) if throw.random() < 0.5 else None,
    )


def _contacts(throw: random.Random, index: int, channel: AppealChannel) -> Contacts:
    """A phone that no operator gives out (all zeros after the code), and mail under example.org (RFC 2606)."""
    code = throw.choice(("67", "50", "63", "95", "98"))
    by_mail = channel in (AppealChannel.EMAIL, AppealChannel.WEB) or throw.random() < 0.3
    return Contacts(
        phones=(f"+380{code}000{index % 10_000:04d}",),
        emails=(f"zaiavnyk{index + 1}@example.org",) if by_mail else (),
    )
