"""``python -m benchmarks.unjournalled``: the hub as it is, but for the journal of what came in, which is not written.

For a comparison only: entries, their bytes and the raw answers of attempts are left out of each change on its way into
the store. All else (reading, checking, facts, messages) is done as always.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hub.cli import main
from hub.schemas.delivery import Change
from hub.storage import sql
from hub.storage.writing import Writer


def bare(change: Change) -> Change:
    """The change without what the journal keeps."""
    ends = tuple(replace(end, answer=None) for end in change.attempt_ends)
    return replace(change, inbound=(), attempt_ends=ends)


def _writer(connection: Any, change: Change, **more: Any) -> Writer:
    return Writer(connection, bare(change), **more)


if __name__ == "__main__":
    vars(sql)["Writer"] = _writer  # for this process only
    main()
