"""All cells by name: ``embedded/…`` run one process on SQLite, ``production/…`` several on PostgreSQL and RabbitMQ."""

from __future__ import annotations

from functools import partial

from tests.chaos import faults, matrix, sickness, starved
from tests.chaos.bench import Cell

MANY = frozenset({"back-after-outage", "every-tenth-fails", "killed-with-many-accepted", "random-503"})
"""Cells that the issue gives numbers for: a thousand messages (five hundred for the kill) in the long form."""

TIMED = frozenset(
    {"back-after-outage", "breaker-behind-failures", "every-tenth-fails", "sick-endpoints", "worker-dies"}
)
"""Cells that promise something within seconds: they run alone, for others beside them would be the fault they see."""

_BOTH: dict[str, Cell] = {
    "chain-kill": partial(matrix.chain, "kill"),
    "chain-stop": partial(matrix.chain, "stop"),
    "statement-fails": faults.statement_fails,
    "every-tenth-fails": sickness.every_tenth_fails,
    "breaker-behind-failures": sickness.breaker_behind_failures,
    "random-503": sickness.random_503,
    "killed-with-many-accepted": sickness.killed_with_many_accepted,
    "back-after-outage": sickness.back_after_outage,
    "sick-endpoints": sickness.sick_endpoints,
    "lost-answers": sickness.lost_answers,
    "clock-jumps": sickness.clock_jumps,
    "disk-full": starved.disk_full,
    "soak": faults.soak,
}
_PRODUCTION: dict[str, Cell] = {
    "broker-wiped": faults.broker_wiped,
    "broker-down": faults.broker_down,
    "slow-broker": starved.slow_broker,
    "database-gone": faults.database_gone,
    "one-authority-cannot-be-written": faults.one_authority_cannot_be_written,
    "poison": faults.poison,
    "two-workers": sickness.two_workers,
    "worker-dies": sickness.worker_dies,
}


def table(embedded: bool = True, production: bool = True) -> dict[str, Cell]:
    """The cells of the forms that are wanted, the matrix first."""
    made: dict[str, Cell] = {}
    if embedded:
        made |= matrix.cells("embedded") | {f"embedded/{name}": cell for name, cell in _BOTH.items()}
    if production:
        made |= matrix.cells("production")
        made |= {f"production/{name}": cell for name, cell in (_BOTH | _PRODUCTION).items()}
    return made


def messages_of(name: str, messages: int) -> int:
    """How many messages a cell gets when the others get ``messages``."""
    short = name.partition("/")[2]
    if short not in MANY:
        return messages
    return messages * (10 if short == "killed-with-many-accepted" else 20)
