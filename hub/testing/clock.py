"""Another time: whoever asks the clock inside gets a moment a year later. For what must not depend on it."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

LATER = dt.timedelta(days=367, hours=7, minutes=11, seconds=13)
_LEFT_ALONE = ("pydantic", "hub.testing", "_datetime")
"""Modules that compare types by identity, or make the other time."""


class _Kind(type):
    """Kind of a stand-in: what the real type made is an instance of it too."""

    real: type

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.real)


def _stand_in(real: type, **answers: Any) -> type:
    """A type that makes what the real one makes, but answers the questions for the time by itself."""

    def new(_: type, *args: Any, **more: Any) -> Any:
        return real(*args, **more)

    makers = [each for each in ("fromisoformat", "fromtimestamp", "strptime", "combine") if hasattr(real, each)]
    told = {name: staticmethod(each) for name, each in ({m: getattr(real, m) for m in makers} | answers).items()}
    return _Kind(real.__name__, (real,), {"__new__": new, "real": real, **told})


def _answers() -> list[tuple[Any, Any]]:
    """Everything that tells the time, each with its stand-in."""
    real, day, secs = dt.datetime, dt.date, LATER.total_seconds()
    now, now_ns, gmtime, localtime, strftime = time.time, time.time_ns, time.gmtime, time.localtime, time.strftime
    return [
        (
            real,
            _stand_in(
                real,
                now=lambda tz=None: real.now(tz) + LATER,
                utcnow=lambda: real.now(dt.UTC).replace(tzinfo=None) + LATER,
                today=lambda: real.now() + LATER,
            ),
        ),
        (now, lambda: now() + secs),
        (now_ns, lambda: now_ns() + int(secs) * 1_000_000_000),
        (gmtime, lambda at=None: gmtime(now() + secs if at is None else at)),
        (localtime, lambda at=None: localtime(now() + secs if at is None else at)),
        (strftime, lambda form, at=None: strftime(form, localtime(now() + secs) if at is None else at)),
        (day, _stand_in(day, today=lambda: real.date(real.now() + LATER))),
    ]


@contextmanager
def another_time() -> Iterator[None]:
    """Tell a later date and time to whoever asks inside, by whatever name it was imported."""
    told = _answers()
    answers = {id(real): answer for real, answer in told}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith(_LEFT_ALONE) or module is None:
                continue
            for word, value in list(vars(module).items()):
                if id(value) in answers:
                    patch.setattr(module, word, answers[id(value)])
        yield
