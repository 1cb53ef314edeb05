"""Every case gives what it gave.

``gave.txt`` is what the hub does today, often wrong; the README of each case has the right value. An issue that mends a
kind renews ``gave.txt`` in the same commit (``python -m tests.reported record CASE``), so that its change can be read.
"""

from __future__ import annotations

import os

import pytest

from tests.conftest import leave_out
from tests.reported.table import Case, cases


def _marks(case: Case) -> list[pytest.MarkDecorator]:
    return [pytest.mark.foreign(program) for program in case.programs]


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name, marks=_marks(case)) for case in cases()])
def test_case(case: Case) -> None:
    """What the hub makes of this input changes only on purpose."""
    if case.programs and os.geteuid() != 0:
        leave_out("Postfix needs root")
    assert case.play() == case.gave.read_text("utf-8")
