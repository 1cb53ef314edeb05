"""Taking in: a submission is checked, built and written, all in one transaction.

202 is said only after ``submit`` returned: accepted means durable. An appeal that nobody can take goes to the
operators' queue with the reason, never nowhere.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from hub.cases.building import SubmissionBuilder, refuse_unknown
from hub.cases.group_commit import GroupCommit
from hub.cases.idempotency import earlier_answer, is_repeat
from hub.cases.numbering import Numbering
from hub.cases.submission import Accepted, Built, Submission
from hub.delivery.files import unknown_files
from hub.delivery.together import together_else_each
from hub.errors import Conflict, Fault, HubError, InvalidInput, Unavailable
from hub.failpoints import hit
from hub.ports import NUMBER_TAKEN, Clock, Doorbell, Registry, Store
from hub.schemas.delivery import Change
from hub.schemas.envelope import Party
from hub.schemas.ids import CaseId, MessageId
from hub.tracking.law import Law


def _refuse_equal_keys(submissions: Sequence[Submission]) -> None:
    """One key twice in one transaction: the store could not tell which is the repeat, so they go one by one."""
    keys = [(s.repeatable.principal, s.repeatable.key) for s in submissions if s.repeatable]
    if len(set(keys)) < len(keys):
        raise Conflict("This request was answered before.", code="idempotency.repeat")


def _join(changes: Sequence[Change]) -> Change:
    """The parts of a ``Change`` that an intake fills; joining all of them costs more on the hottest path."""
    return Change(
        cases=tuple(x for c in changes for x in c.cases),
        messages=tuple(x for c in changes for x in c.messages),
        deliveries=tuple(x for c in changes for x in c.deliveries),
        facts=tuple(x for c in changes for x in c.facts),
        items=tuple(x for c in changes for x in c.items),
        answers=tuple(x for c in changes for x in c.answers),
        grants=tuple(x for c in changes for x in c.grants),
    )


class Intake:
    """Takes appeals in. ``party``: who the hub is towards authorities (the contact centre's code and name)."""

    def __init__(
        self, *, store: Store, registry: Registry, clock: Clock, doorbell: Doorbell, party: Party, law: Law
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._doorbell = doorbell
        self._builder = SubmissionBuilder(party, law)
        self._numbering = Numbering(store)
        self._group: GroupCommit[Submission, Accepted] = GroupCommit("hub-intake", self._write_all)

    def submit(self, submission: Submission) -> Accepted:
        """Take in one appeal durably. Raises ``InvalidInput``, ``Conflict``, ``Unavailable``.

        Calls of several threads at once share transactions.
        """
        return self._group.call(submission)

    def build(self, submission: Submission) -> Built | None:
        """Everything of an appeal that can be made without asking the store; ``None`` if it names things that the
        store must be asked for, or no number is at hand. Raises ``InvalidInput``. For ``write_each``.
        """
        if submission.attachments or submission.form.earlier:
            return None
        now, directory = self._clock.now(), self._registry.current()
        refuse_unknown(submission, directory, now)
        number = self._numbering.at_hand(submission.owner, now)
        return None if number is None else self._builder.build(submission, directory, now, number)

    def write_each(self, built: Sequence[Built]) -> list[Accepted | HubError]:
        """Take in what was built, in one transaction; if one stops it, each goes alone, so that nobody pays for
        another. The outcome of each, in order.
        """

        def kept(some: Sequence[Built]) -> list[Accepted | HubError]:
            self._keep(some)
            return [each.accepted for each in some]

        return together_else_each(built, kept, self._alone)

    def _alone(self, built: Built, refusal: HubError) -> Accepted | HubError:
        """A repeat gets the answer that was given before."""
        if not (isinstance(refusal, Conflict) and is_repeat(refusal)):
            return refusal
        try:
            return self._write([built.submission], look=True)[0]
        except HubError as error:
            return error

    def submit_all(self, submissions: Sequence[Submission]) -> tuple[Accepted, ...]:
        """Take in several appeals in one transaction; all or none."""
        return tuple(self._write_all(submissions))

    def _write_all(self, submissions: Sequence[Submission]) -> Sequence[Accepted]:
        """Write first and look for an earlier answer only if the key turns out to be taken: repeats are rare."""
        try:
            return self._write(submissions, look=False)
        except Conflict as conflict:
            if not is_repeat(conflict):
                raise
            return self._write(submissions, look=True)

    def _write(self, submissions: Sequence[Submission], *, look: bool) -> Sequence[Accepted]:
        now = self._clock.now()
        directory = self._registry.current()
        done: list[Accepted | Built] = []
        for submission in submissions:
            repeated = self._repeated(submission) if look else None
            if repeated is None:
                self._check(submission)
                refuse_unknown(submission, directory, now)
                number = self._numbering.take(submission.owner, now)
                done.append(self._builder.build(submission, directory, now, number))
            else:
                done.append(repeated)
        built = [b for b in done if isinstance(b, Built)]
        if built:
            self._keep(built)
        return [b.accepted if isinstance(b, Built) else b for b in done]

    def _keep(self, built: Sequence[Built]) -> None:
        _refuse_equal_keys([b.submission for b in built])
        hit("S2")
        self._apply(_join([b.change for b in built]))
        hit("S3")
        for channel_id in {b.channel_id for b in built if b.channel_id}:
            self._doorbell.ring(channel_id, suspect=False)

    def _apply(self, change: Change) -> None:
        try:
            self._store.apply(change)
        except Unavailable as failure:
            if failure.stable_code == NUMBER_TAKEN:  # the database was set back: our numbers are given out again
                self._numbering.forget()
            raise

    def _repeated(self, submission: Submission) -> Accepted | None:
        """The answer given before to the same idempotency key."""
        body = earlier_answer(self._store, submission.repeatable)
        if body is None:
            return None
        answer = json.loads(body)
        return Accepted(
            case_id=CaseId(uuid.UUID(answer["case_id"])),
            message_id=MessageId(uuid.UUID(answer["message_id"])),
            authority=answer.get("authority"),
            reason=answer["reason"],
            answer=body,
            repeat=True,
        )

    def _check(self, submission: Submission) -> None:
        """Faults that only the store can tell: attachments that are not there, earlier cases that are not yours."""
        faults = unknown_files(self._store, submission.attachments, submission.owner)
        for index, earlier in enumerate(submission.form.earlier):
            row = self._store.case(CaseId(earlier))
            if row is None or row.case.owner != submission.owner:
                faults.append(
                    Fault(pointer=f"/earlier/{index}", code="case.unknown", message="you have no case with this id")
                )
        if faults:
            raise InvalidInput("The appeal names things that the hub does not have.", faults=faults)
