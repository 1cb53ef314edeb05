"""Containment: a fault of our own, met in one item of a batch, costs that item only.

Everything that goes item by item over what others sent (mails, files, packages, answers to polls) wraps the work on one
item in ``contained``. What is no error of the hub's becomes one that says nothing of the content, so that the item is
held for a person like any other that cannot be taken in, and the next one goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from hub.errors import HubError, ItemFailed

log = logging.getLogger(__name__)
_HOME = Path(__file__).parent


@contextmanager
def contained(what: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Work on one item. ``what``: kind of the item, for the log; ``passing``: faults of the way there, which end the
    whole batch and are somebody else's to judge.

    Raises ``HubError`` and ``passing`` as they are, ``ItemFailed`` for any other fault.
    """
    try:
        yield
    except HubError:
        raise
    except passing:
        raise
    # Broad on purpose, and the only place that is: adapters, mappings and parsers read what strangers send with
    # libraries that raise a dozen kinds of errors, and one bad item must not stop the channel for all others.
    except Exception as fault:  # noqa: BLE001
        place = _place(fault.__traceback__)
        log.error(  # noqa: TRY400 - the traceback's words may hold what was said
            "one item broke off", extra={"what": what, "code": type(fault).__name__, "place": place}
        )
        raise ItemFailed(f"Our own reading of it failed ({type(fault).__name__} at {place}).") from None


def _place(trace: TracebackType | None) -> str:
    """File and line of the innermost code of the hub's that was running."""
    place = "-"
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(_HOME) and path != Path(__file__):
            place = f"{path.relative_to(_HOME.parent)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
