"""Dialect ``template``: an authority's own JSON over HTTP, by a mapping in the channel (docs/adapters/template.md).

For systems that take no envelope of ours and will not change: what goes into which member of theirs, and which member
of their answer means what, stands in the registry, not in code.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import partial
from typing import Any, Final

from hub.adapters import mapping as maps
from hub.adapters.mapping import AnswerMapping, Codes, MappingSource, Meaning
from hub.adapters.outcomes import Heard, read_outcome, read_poll_outcome
from hub.adapters.rest import inline
from hub.adapters.rest.dialect import RestRequest
from hub.adapters.rest.envelope import RestEnvelopeDialect, concluded, nothing_yet, unread
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.statements import charset_of
from hub.errors import ConfigurationError, InvalidInput
from hub.net.http import HttpAnswer
from hub.ports import Outcome, Parcel, Prepared, RawInbound
from hub.schemas import foreign_json
from hub.schemas.delivery import Delivery, OutcomeKind

CODES: Final = Codes(
    mapping="template.mapping",
    kind="template.kind",
    left_out="template.left_out",
    no_external_id="poll.no_external_id",
    foreign="answer.foreign",
    no_receipt="answer.no_receipt",
    unreadable="poll.unreadable",
    verdict="answer.",
    place="the channel's template",
)
_JSON: Final = "application/json"
_TAKEN: Final = frozenset({OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE})


class TemplateDialect(RestEnvelopeDialect):
    """The dialect, bound to one channel's settings."""

    def __init__(self, settings: RestSettings) -> None:
        super().__init__(settings)
        if settings.template is None:
            raise ConfigurationError("Dialect template needs the section template.")
        self._t = settings.template

    def prepare(self, parcel: Parcel) -> Prepared:
        """The authority's document. ``UnsupportedFeature`` for what the template has no place for."""
        self._check_files(parcel)
        # A JWS is text already; the other forms are bytes, which JSON holds as base64.
        sealed = parcel.sealed if self._s.format == "jws" else base64.b64encode(parcel.sealed)
        values = maps.request_values(
            self._t.request,
            MappingSource.of(
                parcel, CODES, sealed=sealed.decode("ascii"), more=lambda file: {maps.CONTENT: inline.mark(file)}
            ),
            kind=parcel.envelope.kind,
            kinds=self._t.kinds,
            leaves_out=self._t.leaves_out,
        )
        body = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        files = parcel.attachments if inline.has_marks(body) else ()
        return Prepared(message_id=parcel.message_id, content_type=_JSON, body=body, files=files)

    def request(self, prepared: Prepared) -> RestRequest:
        """The call, with the template's own headers beside those that name the message."""
        plain = super().request(prepared)
        url = plain.url
        if self._t.path:
            url = url.rstrip("/") + self._t.path.replace("{message_id}", str(prepared.message_id))
        upload = inline.upload if prepared.files else None
        headers = {**self._t.headers, **plain.headers}
        return replace(plain, method=self._t.method, url=url, headers=headers, upload=upload)

    def _judge(self, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        """By the mapping, if there is JSON to read; a status alone proves nothing."""
        if (told := self._by_status(answer)) is not None:
            return told
        said = self._said(self._t.answer, answer)
        if said is not None:
            outcome = read_outcome(said, self._t.answer, _heard(answer), prepared)
            if 200 <= answer.status < 300:
                return self._proved(outcome, answer)
            if outcome.kind in (OutcomeKind.REFUSED, OutcomeKind.DUPLICATE, OutcomeKind.TEMPORARY):
                return outcome
        return self._without_statement(answer, prepared)

    def _proved(self, outcome: Outcome, answer: HttpAnswer) -> Outcome:
        if outcome.kind in _TAKEN and self._success(answer.status) is None:
            return concluded(OutcomeKind.UNKNOWN, "answer.contradiction", answer)
        if outcome.kind is OutcomeKind.DELIVERED and self._s.receipt == "response" and not outcome.reported:
            return concluded(OutcomeKind.UNKNOWN, "answer.no_receipt", answer)
        return outcome

    def judge_status(self, answer: HttpAnswer, delivery: Delivery) -> Outcome:
        """Meaning of their state by the template's ``poll``; what cannot be read is asked again later."""
        if (told := self._nothing_new(answer)) is not None:
            return told
        rules = self._t.poll
        said = None if rules is None else self._said(rules, answer)
        if rules is None or said is None:
            return nothing_yet(answer) or unread(answer, CODES.unreadable)
        outcome = read_poll_outcome(said, rules, _heard(answer), delivery)
        return (nothing_yet(answer) or outcome) if outcome.unread else outcome

    @staticmethod
    def _said(rules: AnswerMapping, answer: HttpAnswer) -> Meaning | None:
        """None if the answer is no JSON, whatever its label says."""
        if not foreign_json.is_json(answer.body):
            return None
        try:
            tree = foreign_json.parse(answer.body, charset_of(answer))
        except InvalidInput:
            return None
        return maps.meaning(rules, partial(find, tree))


def _heard(answer: HttpAnswer) -> Heard:
    return Heard(raw=RawInbound(content_type=_JSON, body=answer.body), http_status=answer.status, codes=CODES)


def find(tree: Any, path: str) -> str | None:
    """Text at a dotted path (``result.items.0.id``); numbers and booleans as JSON writes them, None for all else."""
    value = tree
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and step.isascii() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, foreign_json.Fraction):
        return value.text
    return json.dumps(value) if isinstance(value, bool | int | float) else None
