"""Contracts between followers and the durable memory.

``hub.storage.following`` implements them. All methods may be called from several threads; each call is one transaction.
They raise ``Unavailable`` if the database cannot be reached or written, and nothing else that is not named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hub.following.values import (
    AnswerScore,
    Campaign,
    DayCount,
    Earlier,
    EndpointState,
    Finder,
    Insight,
    Likeness,
    Measures,
    Orphan,
    Queued,
    ReportBy,
    ReportFilter,
)
from hub.schemas.delivery import CaseRow, Fact, Message
from hub.schemas.ids import CaseId, MessageId


class Followers(Protocol):
    """Places in the feed. One process at a time works for a follower; the others wait for its lease to end."""

    def acquire(self, name: str, *, owner: str, now: datetime, lease_until: datetime) -> bool:
        """Hold the follower until ``lease_until``; False if another holds it."""
        ...

    def place(self, name: str) -> str | None:
        """Cursor up to which the follower has come; None at the beginning."""
        ...

    def release(self, name: str, *, owner: str) -> None:
        """Let another process go on at once."""
        ...


class FinderIndex(Followers, Protocol):
    """The index by which cases are found."""

    def forms_of(self, ids: Sequence[CaseId]) -> Mapping[CaseId, Message]:
        """The first appeal of each case, as it came in if that is kept, else as it went out."""
        ...

    def write_finders(self, name: str, *, owner: str, cursor: str, finders: Sequence[Finder]) -> bool:
        """Keep all of it and move the follower to ``cursor``; False, and nothing kept, if the lease was lost."""
        ...


class Insights(Followers, Protocol):
    """Data that the follower of likeness, digests and scores reads and writes."""

    def cases_of(self, ids: Sequence[CaseId]) -> Mapping[CaseId, CaseRow]:
        """Cases with these ids."""
        ...

    def facts_of(self, ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[Fact, ...]]:
        """Their facts, by time."""
        ...

    def appeals_of(self, ids: Sequence[CaseId]) -> Mapping[CaseId, Message]:
        """The first appeal that went out in each case."""
        ...

    def messages_of(self, ids: Sequence[MessageId]) -> Mapping[MessageId, Message]:
        """Messages with these ids."""
        ...

    def likenesses(self, ids: Sequence[CaseId]) -> Mapping[CaseId, Likeness]:
        """Known likenesses of these cases."""
        ...

    def near(self, space: str, bands: Sequence[int]) -> Mapping[int, tuple[CaseId, ...]]:
        """References by band."""
        ...

    def earlier(self, tokens: Sequence[str], since: datetime) -> Mapping[str, tuple[Earlier, ...]]:
        """Earlier appeals by the applicants' tokens, by time."""
        ...

    def campaign(self, group_id: CaseId) -> Campaign | None:
        """One campaign."""
        ...

    def campaigns(self, owner: str | None, *, least: int, after: CaseId | None, limit: int) -> tuple[Campaign, ...]:
        """Campaigns of at least so many members, the newest first; ``after``: the last id seen."""
        ...

    def members(self, group_id: CaseId, *, limit: int) -> tuple[CaseId, ...]:
        """Members of a group, in order of id."""
        ...

    def scores(self, ids: Sequence[MessageId]) -> Mapping[MessageId, AnswerScore]:
        """Scores of those answers."""
        ...

    def scores_of(self, case_id: CaseId) -> tuple[AnswerScore, ...]:
        """Scores of a case's answers, by time."""
        ...

    def write(self, name: str, *, owner: str, cursor: str, insight: Insight) -> bool:
        """Keep all of it and move the follower to ``cursor``; False, and nothing kept, if the lease was lost."""
        ...

    def report(self, where: ReportFilter, by: ReportBy, now: datetime) -> tuple[Measures, ...]:
        """One line for each value, most cases first."""
        ...

    def daily(self, where: ReportFilter) -> tuple[DayCount, ...]:
        """Cases of each day, topic and oblast of the filter's days."""
        ...


class WebhookQueue(Protocol):
    """Endpoints' places in the feed and their queues."""

    def acquire_endpoint(
        self, endpoint: str, *, owner: str, now: datetime, lease_until: datetime
    ) -> EndpointState | None:
        """Hold an endpoint until ``lease_until``, a fresh one if it is not known; None if another holds it."""
        ...

    def release_endpoint(self, endpoint: str, *, owner: str) -> None:
        """Let another process hold an endpoint at once; nothing if ``owner`` does not hold it."""
        ...

    def endpoint(self, endpoint: str) -> EndpointState | None:
        """One endpoint."""
        ...

    def save_endpoint(self, state: EndpointState) -> None:
        """Keep an endpoint's health; its place in the feed stays as it is."""
        ...

    def move_endpoint(self, endpoint: str, cursor: str | None) -> None:
        """Put an endpoint's place elsewhere in the feed."""
        ...

    def fill(self, endpoint: str, queued: Sequence[Queued], *, before: str | None, cursor: str) -> bool:
        """Queue events and move the place from ``before`` to ``cursor``; False, and nothing, if it stands elsewhere."""
        ...

    def waiting(self, endpoint: str) -> int:
        """How many events wait."""
        ...

    def heads(self, endpoint: str, now: datetime, limit: int) -> tuple[Queued, ...]:
        """Events that may go now, in order: of each case only the first that waits; ``next_at`` has come."""
        ...

    def settle(self, done: Sequence[Queued], again: Sequence[Queued]) -> None:
        """Take out what arrived; keep the new schedule of what did not."""
        ...

    def given_up(self, endpoint: str, *, after: str | None, limit: int) -> tuple[Queued, ...]:
        """Events that were given up, in order."""
        ...

    def revive(self, endpoint: str, now: datetime) -> int:
        """Let what was given up go again; returns how many."""
        ...


class Files(Protocol):
    """Attachments as pruning needs them."""

    def delete(self, sha256: str, *, older_than: datetime) -> bool:
        """Delete a file that was put before a moment; False if it is not there, or was put again since."""
        ...


class Pruning(Protocol):
    """Deleting what nobody needs any more. Each call deletes at most ``limit`` rows and returns how many it did."""

    def prune_answers(self, before: datetime, limit: int) -> int:
        """Answers to idempotency keys."""
        ...

    def prune_inbound(self, before: datetime, limit: int) -> int:
        """Entries of the journal that people decided about and that stand with no case. What is held stays."""
        ...

    def prune_audit(self, before: datetime, limit: int) -> int:
        """Entries of the audit trail."""
        ...

    def prune_noise(self, before: datetime, limit: int) -> int:
        """Entries of the journal that left nothing to decide and stand with no case: machines' noise."""
        ...

    def prune_bodies(self, before: datetime, limit: int) -> int:
        """Bytes that no entry of the journal names any more."""
        ...

    def prune_bands(self, before: datetime, limit: int) -> int:
        """Bands of texts: older ones are compared with no more."""
        ...

    def prune_applicants(self, before: datetime, limit: int) -> int:
        """Keyed hashes of applicants."""
        ...

    def prune_transfers(self, before: datetime, limit: int) -> int:
        """Sessions of chunked transfer, and what became of them."""
        ...

    def prune_notices(self, before: datetime, limit: int) -> int:
        """Notices that were fetched."""
        ...

    def floor(self) -> str | None:
        """Cursor before which events are not given out any more."""
        ...

    def raise_floor(self, before: datetime, limit: int) -> int:
        """Move the floor over events that were recorded before a moment."""
        ...

    def revoke_uploads(self, before: datetime, now: datetime, limit: int) -> int:
        """Uploads that no case uses: from now on nobody may name them."""
        ...

    def give_back(self) -> int:
        """Revoked uploads that turned out to be used are there again for their parties; returns how many."""
        ...

    def orphans(self, revoked_before: datetime, limit: int) -> tuple[Orphan, ...]:
        """Revoked uploads whose files may be deleted: nothing names them, nobody brought them again."""
        ...

    def forget(self, sha256s: Sequence[str]) -> None:
        """Forget revoked uploads whose files are gone."""
        ...

    def prune_given_up(self, before: datetime, limit: int) -> int:
        """Events that an endpoint was given up with; the operators were told of each."""
        ...

    def behind(self, name: str) -> datetime | None:
        """When the first event that a follower has not seen was recorded; None if it has seen all."""
        ...
