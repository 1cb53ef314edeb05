"""A conversation with a system that has a form of its own: beside sending and asking, files of answers are fetched, and
a list of changes is read.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Final

from hub.adapters.answer_files import Fetched, Keep, inside
from hub.adapters.mapping import SaidFile
from hub.adapters.mapping_tests import DOCUMENT
from hub.adapters.rest import parts
from hub.adapters.rest.changes import ChangesReader, Reading
from hub.adapters.rest.envelope import ACCEPT
from hub.adapters.rest.files import Fetcher, origins
from hub.adapters.rest.session import RestSession
from hub.adapters.rest.statements import charset_of
from hub.adapters.rest.steps import Progress, Said, Unit, kept_of
from hub.adapters.rest.template import TAKEN, TemplateDialect
from hub.errors import ConfigurationError, InvalidInput, OutcomeUnknown, TemporaryFailure, about
from hub.net.auth import Credential, PlannedCall, authorised
from hub.net.files import store_of
from hub.net.http import HttpAnswer, HttpSession
from hub.ports import Attachments, InboundSink, ListSink, Outcome, Prepared, ReportedStatus, UnderstoodCall
from hub.schemas import foreign_json
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.envelope import MAX_ATTACHMENT_BYTES, Attachment
from hub.schemas.ids import MessageId

_LEAST_SECS: Final = 1.0
_JSON: Final = "application/json"
_BETWEEN: Final = b"\r\n\r\n"


class TemplateSession(RestSession):
    """Calls over kept-alive connections. ``elsewhere``: a conversation with whoever keeps a file."""

    def __init__(
        self,
        dialect: TemplateDialect,
        http: HttpSession,
        ours: Credential,
        attachments: Attachments | None,
        elsewhere: Callable[[str], AbstractContextManager[HttpSession]],
    ) -> None:
        super().__init__(dialect, http, ours, attachments)
        self._template = dialect
        self._elsewhere = elsewhere
        self._heard: list[tuple[Unit, HttpAnswer]] = []
        self._broken: tuple[bytes | None] | None = None
        self._progress: str | None = None
        self._come = Progress()
        self._keep: Callable[[str], bool] = _kept_nowhere
        self._clean: Callable[[str], str] = str
        self._said_now: HttpAnswer | None = None

    def resume(self, progress: str | None, keep: Callable[[str], bool], clean: Callable[[str], str]) -> None:
        """Where the next message had come to, how to keep how far it comes, and how words of theirs are kept."""
        self._progress, self._keep, self._clean = progress, keep, clean

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One attempt; what they have by then is told also where a later call failed."""
        self._come = Progress()
        outcome = super().send(prepared, deadline_secs)
        if DOCUMENT not in self._come.done or outcome.kind in TAKEN:
            return replace(outcome, external_id=outcome.external_id or self._come.external_id)
        return self._begun(outcome)

    def _begun(self, outcome: Outcome) -> Outcome:
        """An outcome after which they have the document: no other channel takes it over, and a person hears so."""
        theirs = self._come.external_id
        had = f"They have the document{f' ({theirs})' if theirs else ''}, and a later call failed. "
        detail = (had + (outcome.detail or ""))[: Outcome.DETAIL_MAX_CHARS]
        return replace(outcome, external_id=outcome.external_id or theirs, detail=detail, begun=True)

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """The call, or the calls, judged by the dialect, with the files of its answer."""
        until = time.monotonic() + deadline_secs
        self._heard.clear()
        units = self._template.units(prepared)
        if units:
            return self._stepwise(units, prepared, until)
        outcome = super().transmit(prepared, deadline_secs)
        return self._enclosed(outcome, self._template.target, prepared.message_id, until, poll=False)

    def heard(self) -> bytes | None:
        """The last HTTP answer; of several calls all, one after another; of a list of changes that was read on after
        one of its entries failed, the answer over which that one did.
        """
        if self._broken is not None:
            return self._broken[0]
        return _BETWEEN.join(answer.transcript() for _, answer in self._heard) or super().heard()

    def explained(self) -> tuple[UnderstoodCall, ...]:
        """Understanding of the answers of several calls."""
        return tuple(
            UnderstoodCall(
                name=unit.title,
                words=self._template.explained(unit.call, answer),
                registers=unit.call == self._template.section.registering,
            )
            for unit, answer in self._heard
        )

    # Several calls

    def _stepwise(self, units: list[Unit], prepared: Prepared, until: float) -> Outcome:
        """Make the calls that were not made yet, in their order; the outcome of the one that has the registration."""
        keep, self._come, self._said_now = self._keep, Progress.of(self._progress), None
        self._progress, self._keep = None, _kept_nowhere
        for unit in units:
            if unit.name in self._come.done:
                continue
            if until - time.monotonic() < _LEAST_SECS:
                raise TemporaryFailure("The time of the attempt ended between two calls.", code="steps.time")
            going = replace(prepared, content_type=_JSON, body=self._come.fill(unit.body))
            come = self._made_unit(unit, self._come, going, until)
            if isinstance(come, Outcome):
                return come
            self._come = come
            if not keep(come.model_dump_json(exclude_none=True)):
                raise OutcomeUnknown("Another worker has taken the message over.", code="steps.taken_over")
        (document,) = (unit for unit in units if unit.step is None)
        return self._ended(replace(prepared, content_type=_JSON, body=document.body), until)

    def _ended(self, document: Prepared, until: float) -> Outcome:
        """The outcome when all calls are done, with the files of the answer that has the registration."""
        said = self._come.said
        assert said is not None
        answer = self._said_now or said.answer()
        outcome = self._template.final(said, answer, document)
        named = self._template.enclosed_in(said, answer) if outcome.reported else ()
        target, ours = self._template.target, document.message_id
        told = tuple(
            self._with_files(each, named, self._stored, target, ours, until) if named else each
            for each in outcome.reported
        )
        return replace(outcome, reported=tuple(map(partial(_with_parts, said), told)))

    def _made_unit(self, unit: Unit, progress: Progress, going: Prepared, until: float) -> Progress | Outcome:
        """Progress after a call that was done; the outcome of the attempt if it was not."""
        step, left = unit.step, max(until - time.monotonic(), 0.1)
        request = (
            self._template.request(going) if step is None else self._template.step_request(unit, step, progress, going)
        )
        section = self._template.section
        answer = self._sent(request, going, left, "url" if step is None else section.setting_of(step.name))
        self._heard.append((unit, answer))
        if step is None:
            outcome = self._template.judge(answer, going)
            if outcome.kind not in TAKEN:
                return outcome
            # What is not there is missed by the call that needs it; the document itself was taken.
            kept = kept_of(self._template.section.keep, parts.document(answer))
            return progress.after(unit, kept=kept, said=self._said_by(unit, answer), external_id=outcome.external_id)
        failed = self._template.judge_step(unit, step, answer, going)
        if failed is not None:
            return failed
        kept = kept_of(step.keep, parts.document(answer), unit.number)
        if kept is None:
            names = ", ".join(sorted(step.keep.values()))
            detail = f"{unit.name}: the answer has no {names}"
            return Outcome(
                kind=OutcomeKind.UNKNOWN,
                code="answer.no_receipt",
                http_status=answer.status,
                detail=detail,
                setting=section.setting_of(step.name, "keep"),
            )
        return progress.after(unit, kept=kept, said=self._said_by(unit, answer) if step.answer is not None else None)

    def _said_by(self, unit: Unit, answer: HttpAnswer) -> Said:
        """The answer that has the registration, as it is kept: its document by its values, its files in the store."""
        self._said_now = answer
        document, files = parts.document(answer), parts.enclosed(answer)
        done = inside(files, self._stored) if files else Fetched()
        return Said(
            by=unit.name,
            status=answer.status,
            body=_cleaned(document, self._clean),
            parts=tuple(done.files),
            unclear=tuple(done.unclear),
        )

    def _stored(self, source: Iterator[bytes], *, media_type: str, name: str) -> Attachment:
        sha256, size = store_of(self._attachments).put(source, limit=MAX_ATTACHMENT_BYTES)
        return Attachment(sha256=sha256, size=size, media_type=media_type, name=name)

    def inquire(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """One call that asks what became of a delivery, and the files of the answer."""
        until = time.monotonic() + deadline_secs
        outcome = super().inquire(delivery, deadline_secs)
        home = self._template.status_request(delivery).url
        return self._enclosed(outcome, home, delivery.message_id, until, poll=True)

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Read the list of changes from where it was left."""
        section = self._template.section.changes
        if section is None or not isinstance(sink, ListSink):
            raise ConfigurationError("Nothing is collected over this channel.", code="channel.not_collected")
        reading = Reading(
            get=self._get,
            ask=self.inquire,
            enclose=lambda *told: self._enclose(sink, *told),
            failed=self._keep_heard,
        )
        return ChangesReader(
            section, self._template.section.changed(), reading, sink, time.monotonic() + deadline_secs
        ).read()

    def _keep_heard(self) -> None:
        self._broken = (super().heard(),)

    def _get(self, url: str, deadline_secs: float) -> HttpAnswer:
        call = PlannedCall(
            method="GET", url=url, headers={**self._template.headers(), "Accept": ACCEPT}, message_id=str(uuid.uuid4())
        )
        with about("template/changes/url"):
            return self._made(call, deadline_secs)

    # Files of answers

    def _enclosed(self, outcome: Outcome, home: str, message_id: MessageId, until: float, *, poll: bool) -> Outcome:
        """The outcome of the last answer, with its files."""
        answer = self._http.last
        if answer is None or not outcome.reported or not (said := self._template.enclosed(answer, poll=poll)):
            return outcome
        told = tuple(self._with_files(each, said, self._stored, home, message_id, until) for each in outcome.reported)
        self._http.last = answer  # what people are shown is the answer, not its last file
        return replace(outcome, reported=tuple(replace(each, fetched=each.attachments) for each in told))

    def _enclose(
        self,
        sink: ListSink,
        reported: ReportedStatus,
        said: tuple[SaidFile, ...],
        delivery: Delivery,
        home: str,
        until: float,
    ) -> ReportedStatus:
        keep = partial(sink.keep, party=delivery.authority)
        return self._with_files(reported, said, keep, home, delivery.message_id, until) if said else reported

    def _with_files(
        self,
        reported: ReportedStatus,
        said: tuple[SaidFile, ...],
        keep: Keep,
        home: str,
        message_id: MessageId,
        until: float,
    ) -> ReportedStatus:
        fetcher = Fetcher(
            call=partial(self._fetch, message_id), session=self._elsewhere, home=home, origins=self._origins(home)
        )
        return fetcher.fetch(said, keep, until).along(reported)

    def _origins(self, home: str) -> frozenset[tuple[str, str, int]]:
        return origins((self._template.target, home, *self._template.section.files_from))

    def _fetch(self, message_id: MessageId, http: HttpSession, url: str, deadline_secs: float) -> HttpAnswer:
        headers = {**self._template.headers(), "Accept": "*/*"}
        call = PlannedCall(method="GET", url=url, headers=headers, message_id=str(message_id))
        return authorised(http, self._credential, call, deadline_secs=deadline_secs)


def _kept_nowhere(_progress: str) -> bool:
    """For tries that no delivery stands behind."""
    return True


def _with_parts(said: Said, told: ReportedStatus) -> ReportedStatus:
    """A statement with the files that came in its answer, and those that it named."""
    known = {file.sha256 for file in told.attachments}
    files = (*told.attachments, *(file for file in said.parts if file.sha256 not in known))
    words = Fetched(unclear=list(said.unclear)).words()
    unclear = " ".join(filter(None, (told.unclear, words)))
    return replace(told, attachments=files, fetched=files, unclear=unclear or None)


def _cleaned(answer: HttpAnswer, clean: Callable[[str], str]) -> str:
    """An answer as text, each of its values without secrets: a cut through the whole would break it."""
    try:
        tree = foreign_json.parse(answer.body, charset_of(answer))
    except InvalidInput:
        return clean(answer.body.decode("utf-8", "replace"))
    return foreign_json.dump(tree, clean)
