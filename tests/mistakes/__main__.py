"""Write the page's tables anew."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.mistakes.page import PAGE, table, written
from tests.mistakes.rows import GROUPS
from tests.mistakes.world import World

with ExitStack() as stack:
    world = World(Path(stack.enter_context(tempfile.TemporaryDirectory())), stack)
    world.start_sshd(stack)
    tables = {
        title: table([(mistake, world.made(mistake)) for mistake in mistakes]) for title, mistakes in GROUPS.items()
    }
PAGE.write_text(written(PAGE.read_text("utf-8"), tables), "utf-8")
