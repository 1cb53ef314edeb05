"""How much a run tries: ``HUB_TEST_FORM`` is ``quick``, ``whole`` (the usual one) or ``nightly``.

Every behaviour is proved in the form ``whole``, with a third of the examples that each law names; ``quick`` tries a
quarter of them, ``nightly`` ten times as many, and what is marked ``nightly``: more cells and roles of what another
test proves.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SCALES = {"quick": 0.25, "whole": 1 / 3, "nightly": 10.0}
"""How many examples each form tries, by those that a law names."""
FORM = os.environ.get("HUB_TEST_FORM", "whole")
if FORM not in SCALES:
    raise ValueError(f"HUB_TEST_FORM is {FORM!r}; it is one of {', '.join(SCALES)}")
NIGHTLY = FORM == "nightly"
STORED = os.environ.get("HUB_TEST_STORE") == "postgres" and not NIGHTLY
"""This run says once more, on PostgreSQL, what another says on the embedded store."""
UNHURRIED = (HealthCheck.too_slow,)
"""Health checks that look at the wall clock: on a busy machine they would fail for no fault of ours."""


def examples(named: int) -> int:
    """How many examples of a law are tried that names so many."""
    return max(5, round(named * SCALES[FORM]))


settings.register_profile(FORM, max_examples=examples(100), deadline=None, suppress_health_check=UNHURRIED)
