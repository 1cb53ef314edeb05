"""Nothing that was said is lost: hostile input by every way in, and the books of both sides agree."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hub.net import secrets
from tests.acceptance.accounting.doors import DOORS
from tests.acceptance.accounting.ground import ground
from tests.acceptance.accounting.ledger import Ledger
from tests.acceptance.accounting.traffic import Traffic
from tests.forms import NIGHTLY, examples

INPUTS = 10_000 if NIGHTLY else examples(300)


@pytest.mark.slow
@pytest.mark.timeout(7_200 if NIGHTLY else 300)
def test_every_input_is_accounted_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each input of a known sender ends in exactly one entry with its bytes, repeats are counted in it; calls of nobody
    are counted, one entry for each door and minute.
    """
    monkeypatch.setattr(secrets, "_KNOWN", {})  # those of other tests in this process would be cut out of these inputs
    ledger = Ledger()
    with ground(tmp_path) as at:
        began = at.clock.now()
        Traffic(at, ledger, random.Random(13)).run(INPUTS)
        minutes = (at.clock.now() - began).total_seconds() / 60 + 2
        faults = ledger.faults(at.hub.store)
        with capsys.disabled():
            print(f"\n{ledger.table()}")
        assert not faults, "\n".join(["", *faults])
        assert ledger.rows(at.hub.store) <= len(DOORS) * minutes
        assert ledger.total == INPUTS
