"""Dialect ``envelope``: the hub's own sealed envelope over plain HTTP (docs/adapters/rest.md).

One POST per message. Success is a receipt or an acknowledgement that names our message, never the status code alone.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from hub.adapters.rest import multipart
from hub.adapters.rest.dialect import RestRequest
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.statements import (
    JSON,
    Claimed,
    JsonAcknowledgement,
    ProblemDocument,
    claimed,
    echoes,
    excerpt,
    form,
    from_list,
    is_page,
    read,
    read_problem,
)
from hub.adapters.rest.steps import sample_url
from hub.errors import InvalidInput, PermanentFailure, UnsupportedFeature
from hub.net.http import CREDENTIAL_REFUSED, NOT_TAKEN_IN, HttpAnswer, retry_after
from hub.ports import Outcome, Parcel, Prepared, RawInbound, Rendering
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.ids import is_same
from hub.schemas.terms import RefusalGround
from hub.sealed import CONTENT_TYPES, media_type

ACCEPT = "application/json, application/jose, application/xml;q=0.9, application/problem+json;q=0.5"
_NOTHING_YET = frozenset({204, 404})


class RestEnvelopeDialect:
    """The dialect, bound to one channel's settings."""

    def __init__(self, settings: RestSettings) -> None:
        self._s = settings

    @property
    def http(self) -> RestSettings:
        """How the channel may be called."""
        return self._s

    @property
    def target(self) -> str:
        """The setting ``url``."""
        return self._s.url

    def addresses(self) -> dict[str, str]:
        """The setting ``status_url``, if it is asked."""
        return {} if self._s.status_url is None else {"status_url": sample_url(self._s.status_url)}

    def look_request(self) -> RestRequest | None:
        """The setting ``url``."""
        return RestRequest(method="HEAD", url=self._s.url)

    def rendering(self) -> Rendering:
        """As the setting ``format`` says."""
        return Rendering(self._s.format)

    def polls(self) -> bool:
        """True if the channel is asked for receipts."""
        return self._s.receipt == "poll"

    def prepare(self, parcel: Parcel) -> Prepared:
        """The sealed envelope; its files only if they travel along."""
        self._check_files(parcel)
        return Prepared(
            message_id=parcel.message_id,
            content_type=CONTENT_TYPES[self.rendering()],
            body=parcel.sealed,
            files=parcel.attachments if self._s.attachments == "multipart" else (),
        )

    def _check_files(self, parcel: Parcel) -> None:
        if parcel.attachments and self._s.attachments == "refuse":
            raise UnsupportedFeature(
                "The message has attachments, and this channel is set to refuse them.", code="channel.attachments"
            )

    def request(self, prepared: Prepared) -> RestRequest:
        """A POST that names the message in its headers: whoever honours them takes it once."""
        name = str(prepared.message_id)
        along = self._s.attachments == "multipart" and bool(prepared.files)
        return RestRequest(
            method="POST",
            url=self.target,
            headers={"Accept": ACCEPT, "Idempotency-Key": name, "Hub-Message-Id": name},
            upload=multipart.upload if along else None,
            content_type=multipart.content_type(prepared) if along else None,
        )

    def judge(self, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        """Meaning of the answer; the table stands in docs/adapters/rest.md."""
        return self.without_echo(self._judge(answer, prepared), answer, prepared)

    @staticmethod
    def without_echo(outcome: Outcome, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        """The outcome, its detail without what was sent: some systems repeat it."""
        if outcome.detail is not None and echoes(answer, prepared.body):
            # It would carry the applicant's words into the journal of attempts.
            return replace(
                outcome, detail=f"HTTP {answer.status}: the answer repeats what was sent, so it is not shown."
            )
        return outcome

    def _judge(self, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        if (told := self._by_status(answer)) is not None:
            return told
        statement = read(answer)
        if statement is None:
            return self._without_statement(answer, prepared)
        if not _is_about(statement, prepared.message_id):
            return concluded(OutcomeKind.UNKNOWN, "answer.foreign", answer)
        if isinstance(statement, Claimed):
            return self._envelope(answer, statement)
        return self._acknowledgement(answer, statement)

    @staticmethod
    def _by_status(answer: HttpAnswer) -> Outcome | None:
        """The outcome where the status says it all, whatever the body claims."""
        status = answer.status
        if status in NOT_TAKEN_IN:
            return concluded(OutcomeKind.TEMPORARY, "answer.try_later", answer)
        if not (200 <= status < 300 or 400 <= status < 500):
            code = "answer.redirect" if 300 <= status < 400 else "answer.server_error"
            return concluded(OutcomeKind.UNKNOWN, code, answer)
        return None

    def _envelope(self, answer: HttpAnswer, statement: Claimed) -> Outcome:
        if statement.refuses:
            return concluded(
                OutcomeKind.REFUSED, "answer.refused", answer, ground=statement.ground, receipts=(statement.raw,)
            )
        kind = self._success(answer.status)
        if kind is None:
            return concluded(OutcomeKind.UNKNOWN, "answer.contradiction", answer)
        return Outcome(kind=kind, http_status=answer.status, receipts=(statement.raw,))

    def _acknowledgement(self, answer: HttpAnswer, statement: JsonAcknowledgement) -> Outcome:
        if statement.status == "refused":
            return concluded(
                OutcomeKind.REFUSED, "answer.refused", answer, ground=statement.ground, external_id=statement.id
            )
        kind = OutcomeKind.DUPLICATE if statement.status == "duplicate" else self._success(answer.status)
        if kind is None:
            return concluded(OutcomeKind.UNKNOWN, "answer.contradiction", answer)
        if kind is OutcomeKind.DELIVERED and self._s.receipt == "response":
            return concluded(OutcomeKind.UNKNOWN, "answer.no_receipt", answer)
        return Outcome(kind=kind, http_status=answer.status, external_id=statement.id)

    def _success(self, status: int) -> OutcomeKind | None:
        """Value of a statement in our favour with this status; None: the two contradict each other."""
        if self._s.accepts(status):
            return OutcomeKind.DELIVERED
        return OutcomeKind.DUPLICATE if status in self._s.duplicate_statuses else None

    def _without_statement(self, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        """A status without a word that could be read, or with a problem document."""
        problem = read_problem(answer)
        if problem.message_id is not None and problem.message_id != prepared.message_id:
            return concluded(OutcomeKind.UNKNOWN, "answer.foreign", answer)
        if 200 <= answer.status < 300 and (problem.ground is None or problem.message_id is None):
            return concluded(OutcomeKind.UNKNOWN, "answer.no_receipt", answer)
        if problem.ground is not None:
            return concluded(OutcomeKind.REFUSED, "answer.refused", answer, problem, ground=problem.ground)
        if answer.status in self._s.duplicate_statuses:
            return self._duplicate(answer)
        if answer.status in CREDENTIAL_REFUSED:
            return concluded(OutcomeKind.TEMPORARY, "answer.unauthorized", answer, problem)
        return concluded(OutcomeKind.PERMANENT, f"answer.http_{answer.status}", answer, problem)

    @staticmethod
    def _duplicate(answer: HttpAnswer) -> Outcome:
        """The channel's settings say what this status means; a page for people was not written by that system."""
        if is_page(answer):
            return concluded(OutcomeKind.UNKNOWN, "answer.no_receipt", answer)
        return Outcome(kind=OutcomeKind.DUPLICATE, http_status=answer.status)

    def status_request(self, delivery: Delivery) -> RestRequest:
        """A GET of ``status_url`` with the ids filled in."""
        template = self._s.status_url or ""
        if "{external_id}" in template and not _usable(delivery.external_id):
            raise PermanentFailure("They gave no id that could be asked for.", code="poll.no_external_id")
        url = template.replace("{message_id}", str(delivery.message_id))
        url = url.replace("{external_id}", quote(delivery.external_id or "", safe=""))
        return RestRequest(method="GET", url=url, headers={"Accept": ACCEPT})

    def judge_status(self, answer: HttpAnswer, delivery: Delivery) -> Outcome:
        """Envelopes about our message, or nothing yet; anything else is asked again later."""
        if (told := self._nothing_new(answer)) is not None:
            return told
        read_ = self._found(answer, delivery)
        if read_ is None:
            return nothing_yet(answer) or unread(answer, "poll.unreadable")
        found, unreadable = read_
        ours = [item.raw for item in found if _concerns(item, delivery)]
        foreign = [item.raw for item in found if not _concerns(item, delivery)]
        code = "poll.foreign" if foreign else "poll.unreadable"
        if not ours and (foreign or unreadable):
            return replace(concluded(OutcomeKind.TEMPORARY, code, answer), unread=(*foreign, *unreadable))
        return Outcome(
            kind=OutcomeKind.DELIVERED,
            code=code if foreign or unreadable else None,
            http_status=answer.status,
            receipts=tuple(ours),
            unread=(*foreign, *unreadable),
        )

    @staticmethod
    def _nothing_new(answer: HttpAnswer) -> Outcome | None:
        """The outcome where the status of a poll says that there is nothing to read."""
        if answer.status in _NOTHING_YET:
            return Outcome(kind=OutcomeKind.DELIVERED, http_status=answer.status)
        if not 200 <= answer.status < 300:
            return concluded(OutcomeKind.TEMPORARY, f"poll.http_{answer.status}", answer)
        return None

    @staticmethod
    def _found(answer: HttpAnswer, delivery: Delivery) -> tuple[tuple[Claimed, ...], tuple[RawInbound, ...]] | None:
        """Envelopes of an answer, and entries of its list that are none; None if it cannot be read at all."""
        raw = form(answer)
        try:
            if raw.content_type == JSON and b'"envelopes"' in raw.body:
                return from_list(answer, delivery.message_id)
            return (claimed(raw),), ()
        except InvalidInput:
            return None


def nothing_yet(answer: HttpAnswer) -> Outcome | None:
    """The outcome of a 202 that says nothing more: they are still at it."""
    return Outcome(kind=OutcomeKind.DELIVERED, http_status=202) if answer.status == 202 else None


def unread(answer: HttpAnswer, code: str) -> Outcome:
    """Outcome of an answer to a poll that cannot be read: asked again later, and the bytes go to a person. A page for
    people was not written by that system, and is only asked again.
    """
    kind = media_type(answer.content_type)
    raw = RawInbound(content_type=kind or "application/octet-stream", body=answer.body)
    seen = is_page(answer) or not answer.body
    return replace(concluded(OutcomeKind.TEMPORARY, code, answer), unread=() if seen else (raw,))


def _is_about(statement: JsonAcknowledgement | Claimed, message_id: uuid.UUID) -> bool:
    if isinstance(statement, Claimed):
        return is_same(statement.in_reply_to, message_id)
    return statement.message_id == message_id


def _usable(external_id: str | None) -> bool:
    """True if an id of theirs can stand in a path: percent-encoding does not disarm ``.`` and ``..``."""
    return external_id is not None and external_id not in (".", "..")


def _concerns(item: Claimed, delivery: Delivery) -> bool:
    if item.in_reply_to is not None:
        return is_same(item.in_reply_to, delivery.message_id)
    return is_same(item.case_id, delivery.case_id)


def _wait(answer: HttpAnswer) -> float | None:
    """Seconds that they ask to wait."""
    return retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))


def _ground(value: str | None) -> str | None:
    return value if value in frozenset(RefusalGround) else None


def concluded(
    kind: OutcomeKind,
    code: str,
    answer: HttpAnswer,
    problem: ProblemDocument | None = None,
    *,
    ground: str | None = None,
    external_id: str | None = None,
    receipts: tuple[RawInbound, ...] = (),
) -> Outcome:
    """An outcome that came with an answer, with what an operator may see of it."""
    title = f"{problem.title} — " if problem and problem.title else ""
    return Outcome(
        kind=kind,
        code=code,
        http_status=answer.status,
        detail=f"{title}{excerpt(answer)}"[: Outcome.DETAIL_MAX_CHARS],
        retry_after=_wait(answer),
        ground=_ground(ground),
        external_id=external_id,
        receipts=receipts,
        next_step=_next_step(code, answer.status),
        setting=_setting(code, answer.status),
    )


_NEXT: Final = {
    "answer.try_later": "Try again later: they took nothing in.",
    "answer.redirect": "Write the address that they redirect to into url, if it is theirs.",
    "answer.server_error": "Their system failed: show those who keep it the request and the answer.",
    "answer.unauthorized": "Mend auth in the channel: the kind, the secret, the name of the header; ask them "
    "whether it is let in.",
    "answer.foreign": "The answer names another message: look where echo (or message_id) stands in it.",
    "answer.contradiction": "Status and words of the answer contradict each other: ask them which holds, and set "
    "accept_statuses.",
    "answer.no_receipt": "Look at the answer: does it hold what the channel's dialect expects, at the places that are "
    "named?",
    "answer.refused": "They refused this appeal, and the channel works: their ground stands in the answer.",
}


def _setting(code: str, status: int) -> str | None:
    """Setting that an outcome speaks of, if it is one."""
    if code == "answer.unauthorized":
        return "auth"
    return "url" if code == "answer.redirect" or status in (404, 405, 410) else None


def _next_step(code: str, status: int) -> str:
    """Next step for a person who tries the channel."""
    if code in _NEXT:
        return _NEXT[code]
    if status in (404, 410):
        return "Look at the path in url (and in the template): nothing is there."
    if status == 405:
        return "Look at the path and the method: something is there that takes no such call."
    return "Their answer says what is wrong with the request: mend the mapping or the settings by it."
