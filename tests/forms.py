"""How much a run tries: ``HUB_TEST_FORM`` is ``whole`` (``make test``), or ``nightly`` for the long forms.

Every behaviour is proved in the form ``whole``. The long form tries more of the same: more examples of a law, more
cells and phases; a test of which only the long form is worth its time is marked ``nightly``.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FORM = os.environ.get("HUB_TEST_FORM", "whole")
NIGHTLY = FORM == "nightly"
UNHURRIED = (HealthCheck.too_slow,)
"""Health checks that look at the wall clock: on a busy machine they would fail for no fault of ours."""
MORE = 10
"""So many times the examples of the form ``whole`` are tried at night."""

if FORM not in ("whole", "nightly"):
    raise ValueError(f"HUB_TEST_FORM is {FORM!r}; it is whole or nightly")

for name, count in (("whole", 100), ("nightly", 100 * MORE)):
    settings.register_profile(name, max_examples=count, deadline=None, suppress_health_check=UNHURRIED)


def examples(whole: int, nightly: int | None = None) -> int:
    """How many examples of a law are tried."""
    return (nightly or whole * MORE) if NIGHTLY else whole
