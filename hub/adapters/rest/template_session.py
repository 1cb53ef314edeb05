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

from hub.adapters.answer_files import Keep
from hub.adapters.mapping import SaidFile
from hub.adapters.rest.changes import ChangesReader, Reading
from hub.adapters.rest.envelope import ACCEPT
from hub.adapters.rest.files import Fetcher, origins
from hub.adapters.rest.session import RestSession
from hub.adapters.rest.template import TemplateDialect
from hub.errors import ConfigurationError
from hub.net.auth import Call, Credential, authorised
from hub.net.files import store_of
from hub.net.http import HttpAnswer, HttpSession
from hub.ports import Attachments, InboundSink, ListSink, Outcome, Prepared, ReportedStatus
from hub.schemas.delivery import Delivery
from hub.schemas.envelope import MAX_ATTACHMENT_BYTES, Attachment
from hub.schemas.ids import MessageId


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

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One call, judged by the dialect, with the files of its answer."""
        until = time.monotonic() + deadline_secs
        outcome = super().transmit(prepared, deadline_secs)
        return self._enclosed(outcome, self._template.target, prepared.message_id, until, poll=False)

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
        reading = Reading(get=self._get, ask=self.inquire, enclose=lambda *told: self._enclose(sink, *told))
        return ChangesReader(
            section, self._template.section.changed(), reading, sink, time.monotonic() + deadline_secs
        ).read()

    def _get(self, url: str, deadline_secs: float) -> HttpAnswer:
        call = Call(
            method="GET", url=url, headers={**self._template.headers(), "Accept": ACCEPT}, message_id=str(uuid.uuid4())
        )
        return self._made(call, deadline_secs)

    # Files of answers

    def _enclosed(self, outcome: Outcome, home: str, about: MessageId, until: float, *, poll: bool) -> Outcome:
        """The outcome of the last answer, with its files."""
        answer = self._http.last
        if answer is None or not outcome.reported or not (said := self._template.enclosed(answer, poll=poll)):
            return outcome
        store = store_of(self._attachments)

        def keep(source: Iterator[bytes], *, media_type: str, name: str) -> Attachment:
            sha256, size = store.put(source, limit=MAX_ATTACHMENT_BYTES)
            return Attachment(sha256=sha256, size=size, media_type=media_type, name=name)

        told = tuple(self._with_files(each, said, keep, home, about, until) for each in outcome.reported)
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
        about: MessageId,
        until: float,
    ) -> ReportedStatus:
        fetcher = Fetcher(
            call=partial(self._fetch, about), session=self._elsewhere, home=home, origins=self._origins(home)
        )
        done = fetcher.fetch(said, keep, until)
        unclear = " ".join([*filter(None, [reported.unclear]), *_said(done.unclear)])
        return replace(reported, attachments=tuple(done.files), unclear=unclear or None)

    def _origins(self, home: str) -> frozenset[tuple[str, str, int]]:
        return origins((self._template.target, home, *self._template.section.files_from))

    def _fetch(self, about: MessageId, http: HttpSession, url: str, deadline_secs: float) -> HttpAnswer:
        call = Call(method="GET", url=url, headers={**self._template.headers(), "Accept": "*/*"}, message_id=str(about))
        return authorised(http, self._credential, call, deadline_secs=deadline_secs)


def _said(unclear: list[str]) -> list[str]:
    return [f"Files that could not be had: {'; '.join(unclear)}."] if unclear else []
