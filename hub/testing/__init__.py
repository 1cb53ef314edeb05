"""Tools for the tests of a package that brings an adapter: the contract of all adapters, samples, a desk.

Comes with ``pip install appeal-hub[testing]``, which brings pytest. Nothing that runs in a hub imports this room.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("hub.testing.contract")
