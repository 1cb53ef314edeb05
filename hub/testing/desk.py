"""A desk at which nothing may happen: tests' own desks take from it what they do not mean to be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from hub.ports import Original, RawInbound, ReportedStatus, Returned
from hub.schemas.delivery import Delivery
from hub.schemas.envelope import Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.keys import VerificationKey


class NoDesk:
    """Implements the port ``Desk``: everything is a failure of the test."""

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        raise AssertionError("no envelope was expected")

    def reported(self, spoken: ReportedStatus) -> None:
        raise AssertionError("no words were expected")

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        raise AssertionError("nobody was expected to look for a delivery")

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        raise AssertionError("no file was expected")

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        raise AssertionError("no key was expected to be asked for")

    def original(self, message_id: MessageId) -> Original | None:
        raise AssertionError("nobody was expected to look for a message of ours")

    def undelivered(self, returned: Returned) -> None:
        raise AssertionError("nothing was expected to come back")

    def noted(self, raw: RawInbound, *, verdict: str, about: MessageId | None = None) -> None:
        raise AssertionError("nothing was expected to be noted")

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        raise AssertionError("nothing was expected to be held for a person")
