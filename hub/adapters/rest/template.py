"""Dialect ``template``: an authority's own JSON over HTTP, by a mapping in the channel (docs/adapters/template.md).

For systems that take no envelope of ours and will not change: what goes into which member of theirs, and which member
of their answer means what, stands in the registry, not in code.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from hub.adapters import mapping as maps
from hub.adapters.json_places import find, rows
from hub.adapters.mapping import AnswerMapping, Meaning, SaidFile
from hub.adapters.mapping_check import CONTENT
from hub.adapters.mapping_tests import told
from hub.adapters.outcomes import Heard, read_outcome, read_poll_outcome
from hub.adapters.rest import forms, inline, parts
from hub.adapters.rest.dialect import RestRequest
from hub.adapters.rest.envelope import ACCEPT, RestEnvelopeDialect, concluded, nothing_yet, unread
from hub.adapters.rest.forms import FormSection
from hub.adapters.rest.inline import raw
from hub.adapters.rest.section import TemplateSection
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.statements import charset_of
from hub.adapters.rest.steps import (
    CALLS_TYPE,
    Progress,
    Said,
    StepSection,
    Unit,
    contained,
    dumped,
    kept_words,
    sample_url,
    shown_kept,
    units,
)
from hub.adapters.template import CODES
from hub.errors import ConfigurationError, InvalidInput
from hub.net import secret_marks
from hub.net.http import HttpAnswer
from hub.ports import Outcome, Parcel, Prepared, RawInbound, ShownCall
from hub.schemas import foreign_json
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.envelope import Attachment

_JSON: Final = "application/json"
TAKEN: Final = frozenset({OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE})
"""Ends of a call after which they have it."""


class TemplateDialect(RestEnvelopeDialect):
    """The dialect, bound to one channel's settings."""

    def __init__(self, settings: RestSettings) -> None:
        super().__init__(settings)
        if settings.template is None:
            raise ConfigurationError("Dialect template needs the section template.")
        self._t = settings.template
        self._secrets = settings.template.secrets()

    def addresses(self) -> dict[str, str]:
        """Addresses of the question, of the list of changes and of further calls; none whose host is told by others."""
        told = {**super().addresses(), **self._t.addresses()}
        return {setting: sample_url(url) for setting, url in told.items() if "{" not in urlsplit(url).netloc}

    def judge(self, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        """Meaning of the answer to the document; what is said of the address is about ``path``, if it has one."""
        outcome = super().judge(answer, prepared)
        if self._t.path and outcome.setting == "url" and outcome.code != "answer.redirect":
            return replace(outcome, setting="template/path")
        return outcome

    def look_request(self) -> RestRequest | None:
        """Where documents go, with the template's own headers; nothing where each has a place of its own."""
        if "{" in self._t.path:
            return None
        url = self._s.url.rstrip("/") + self._t.path if self._t.path else self._s.url
        return self._ours(RestRequest(method="HEAD", url=url))

    def prepare(self, parcel: Parcel) -> Prepared:
        """The authority's document. ``UnsupportedFeature`` for what the template has no place for."""
        self._check_files(parcel)
        # A JWS is text already; the other forms are bytes, which JSON holds as base64.
        sealed = parcel.sealed if self._s.format == "jws" else base64.b64encode(parcel.sealed)
        calls = self._t.calls(parcel, sealed.decode("ascii"), lambda file: {CONTENT: inline.mark(file)})
        body = contained(calls) if self._t.steps else dumped(calls[0][2])
        files = parcel.attachments if self._t.carries_files else ()
        kind = CALLS_TYPE if self._t.steps else _JSON
        return Prepared(message_id=parcel.message_id, content_type=kind, body=body, files=files)

    def request(self, prepared: Prepared) -> RestRequest:
        """The call, with the template's own headers beside those that name the message."""
        plain = super().request(prepared)
        url = plain.url
        if self._t.path:
            url = url.rstrip("/") + self._t.path.replace("{message_id}", str(prepared.message_id))
        told = self._told(self._ours(plain), prepared, self._t.form)
        return replace(told, method=self._t.method, url=url)

    @staticmethod
    def _told(
        request: RestRequest, prepared: Prepared, form: FormSection | None, file: Attachment | None = None
    ) -> RestRequest:
        """The request with how its body is made."""
        if form is not None:
            files = None if file is None else (file,)
            upload = partial(forms.upload, form, files=files)
            return replace(request, upload=upload, content_type=forms.content_type(prepared))
        return replace(request, upload=inline.upload if inline.has_marks(prepared.body) else None)

    def units(self, prepared: Prepared) -> list[Unit]:
        """The calls of a prepared message, if there are several. ``PermanentFailure`` (``steps.changed``)."""
        return units(prepared, self._t.steps)

    def shown_calls(self, prepared: Prepared) -> tuple[ShownCall, ...]:
        """The calls of a prepared message for people; none if it takes one."""
        return tuple(self._shown_call(unit, prepared) for unit in self.units(prepared))

    def _shown_call(self, unit: Unit, prepared: Prepared) -> ShownCall:
        step, request = unit.step, self.request(prepared)
        method, url = (request.method, request.url) if step is None else (step.method, step.url)
        form, files = (self._t.form, prepared.files) if step is None else (step.form, (unit.file,) if unit.file else ())
        said = secret_marks.shown(shown_kept(inline.shown(unit.body, prepared.files)).decode())
        kind = _JSON if form is None else "multipart/form-data"
        parts_ = [said] if form is None else [said, *(inline.words(file.name) for file in files)]
        if step is not None and step.send == "file" and unit.file is not None:
            kind, parts_ = step.content_type or unit.file.media_type, [inline.words(unit.file.name)]
        return ShownCall(name=unit.title, method=method, url=url, content_type=kind, body="\n".join(parts_))

    def step_request(self, unit: Unit, step: StepSection, progress: Progress, prepared: Prepared) -> RestRequest:
        """A call beside that of the document. ``prepared``: with this call's document."""
        name = str(prepared.message_id)
        request = self._ours(
            RestRequest(
                method=step.method,
                url=progress.url(step.url, prepared, unit),
                headers={"Accept": ACCEPT, "Idempotency-Key": f"{name}/{unit.name}", "Hub-Message-Id": name},
            )
        )
        if step.send == "file" and unit.file is not None:
            return replace(
                request, upload=partial(raw, unit.file), content_type=step.content_type or unit.file.media_type
            )
        return self._told(request, prepared, step.form, unit.file)

    def judge_step(self, unit: Unit, step: StepSection, answer: HttpAnswer, prepared: Prepared) -> Outcome | None:
        """The outcome of a call that was not done; None if it was."""
        if answer.status in step.statuses:
            return None
        failed = self._by_status(answer) or self._without_statement(answer, prepared)
        if failed.kind in TAKEN or failed.kind is OutcomeKind.REFUSED:
            failed = concluded(OutcomeKind.PERMANENT, f"answer.http_{answer.status}", answer)
        setting = self._t.setting_of(step.name) if failed.setting == "url" else failed.setting
        return replace(
            failed, setting=setting, detail=f"{unit.title}: {failed.detail or ''}"[: Outcome.DETAIL_MAX_CHARS]
        )

    def final(self, said: Said, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        """The outcome of the answer that has the registration, when all calls are done."""
        return self.without_echo(self._judged(answer, prepared, self._rules(said)), answer, prepared)

    def enclosed_in(self, said: Said, answer: HttpAnswer) -> tuple[SaidFile, ...]:
        """Files that the answer which has the registration names; those that came in it are kept already."""
        rules = self._rules(said)
        told = self._said(rules, parts.document(answer)) if rules.files is not None else None
        return told.files if told is not None else ()

    def _rules(self, said: Said) -> AnswerMapping:
        step = next((each for each in self._t.steps if each.name == said.by), None)
        return self._t.answer if step is None or step.answer is None else step.answer

    def status_request(self, delivery: Delivery) -> RestRequest:
        """The question, with the template's own headers."""
        return self._ours(super().status_request(delivery))

    def _ours(self, plain: RestRequest) -> RestRequest:
        return replace(plain, headers={**self._t.said_headers(), **plain.headers}, secrets=self._secrets)

    def headers(self) -> dict[str, str]:
        """The template's own headers as they go out. ``ConfigurationError`` if a secret cannot be read."""
        return {name: self._secrets.fill_text(value) for name, value in self._t.said_headers().items()}

    def notes(self) -> tuple[str, ...]:
        """Notes on the template for a check."""
        return self._t.notes()

    def understood(self, body: bytes, *, poll: bool) -> dict[str, str] | None:
        """Meaning of an answer, by our words. ``InvalidInput`` for what is no JSON."""
        rules = self._t.poll if poll else self._t.answer
        if rules is None:
            return None
        tree = foreign_json.parse(body)
        return told(rules, partial(find, tree), partial(rows, tree))

    def explained(self, call: str, answer: HttpAnswer) -> dict[str, str]:
        """Meaning of the answer of one of several calls, and what it gives for later ones, by our words."""
        read = self._t.calls_read()[call]
        rules, keep = read.answer, read.keep
        if rules is None and not keep:
            return {}
        document = parts.document(answer)
        try:
            tree = foreign_json.parse(document.body, charset_of(document))
        except InvalidInput as error:
            return {"status": f"unknown ({error.message})"}
        words = {} if rules is None else told(rules, partial(find, tree), partial(rows, tree))
        return {**words, **kept_words(keep, tree)}

    def _judge(self, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        return self._judged(answer, prepared, self._t.answer)

    def _judged(self, answer: HttpAnswer, prepared: Prepared, rules: AnswerMapping) -> Outcome:
        """By the mapping, if there is JSON to read; a status alone proves nothing."""
        if (by_status := self._by_status(answer)) is not None:
            return by_status
        said = self._said(rules, answer)
        if said is not None:
            outcome = read_outcome(said, rules, _heard(answer), prepared)
            if 200 <= answer.status < 300:
                return self._proved(outcome, answer)
            if outcome.kind in (OutcomeKind.REFUSED, OutcomeKind.DUPLICATE, OutcomeKind.TEMPORARY):
                return outcome
        return self._without_statement(answer, prepared)

    def _proved(self, outcome: Outcome, answer: HttpAnswer) -> Outcome:
        if outcome.kind in TAKEN and self._success(answer.status) is None:
            return concluded(OutcomeKind.UNKNOWN, "answer.contradiction", answer)
        if outcome.kind is OutcomeKind.DELIVERED and self._s.receipt == "response" and not outcome.reported:
            return concluded(OutcomeKind.UNKNOWN, "answer.no_receipt", answer)
        return outcome

    def judge_status(self, answer: HttpAnswer, delivery: Delivery) -> Outcome:
        """Meaning of their state by the template's ``poll``; what cannot be read is asked again later."""
        if (nothing := self._nothing_new(answer)) is not None:
            return nothing
        rules = self._t.poll
        said = None if rules is None else self._said(rules, answer)
        if rules is None or said is None:
            return nothing_yet(answer) or unread(answer, CODES.unreadable)
        outcome = read_poll_outcome(said, rules, _heard(answer), delivery)
        return (nothing_yet(answer) or outcome) if outcome.unread else outcome

    def enclosed(self, answer: HttpAnswer, *, poll: bool) -> tuple[SaidFile, ...]:
        """Files that an answer to the appeal brings, and its parts."""
        rules = self._t.poll if poll else self._t.answer
        brings = rules is not None and (rules.files is not None or parts.are_in(answer))
        said = self._said(rules, answer) if rules is not None and brings else None
        return said.files if said is not None else ()

    @property
    def section(self) -> TemplateSection:
        """The mapping."""
        return self._t

    @staticmethod
    def _said(rules: AnswerMapping, answer: HttpAnswer) -> Meaning | None:
        """None if the answer is no JSON, whatever its label says."""
        document, files = parts.document(answer), parts.enclosed(answer)
        if not foreign_json.is_json(document.body):
            return None
        try:
            tree = foreign_json.parse(document.body, charset_of(document))
        except InvalidInput:
            return None
        said = maps.meaning(rules, partial(find, tree), partial(rows, tree))
        return replace(said, files=(*said.files, *files)) if files else said


def _heard(answer: HttpAnswer) -> Heard:
    document = parts.document(answer)
    return Heard(raw=RawInbound(content_type=_JSON, body=document.body), http_status=answer.status, codes=CODES)
