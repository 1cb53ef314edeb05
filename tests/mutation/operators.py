"""Operators: what one mutant changes. Those of mutmut, and four of ours for checks, returns and calls.

An operator takes a node of the syntax tree (LibCST) and makes the nodes that may stand in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import libcst as cst
import libcst.matchers as m
from mutmut.mutation import mutators

Operator = Callable[[Any], Iterable[cst.CSTNode]]
"""Makes the nodes that may stand in a node's place."""


def _forced(test: cst.BaseExpression, *, also_true: bool = True) -> Iterator[cst.BooleanOperation]:
    """A condition that is still computed and then decides nothing: never, and always."""
    whole = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield cst.BooleanOperation(left=whole, operator=cst.And(), right=cst.Name("False"))
    if also_true:
        yield cst.BooleanOperation(left=whole, operator=cst.Or(), right=cst.Name("True"))


def forced_check(node: cst.If | cst.CompIf | cst.While) -> Iterator[cst.CSTNode]:
    """``if``, ``while`` and the filter of a comprehension are never, or always, taken (no endless ``while``)."""
    for test in _forced(node.test, also_true=not isinstance(node, cst.While)):
        yield node.with_changes(test=test)


def lost_return(node: cst.Return) -> Iterator[cst.Return]:
    """A value is not returned."""
    if node.value is not None and not m.matches(node.value, m.Name("None")):
        yield cst.Return()


def lost_statement(node: cst.Expr | cst.Raise) -> Iterator[cst.Pass]:
    """A call is not made; an error is not raised."""
    if isinstance(node, cst.Raise) or m.matches(node.value, m.Call() | m.Await(m.Call())):
        yield cst.Pass()


def argument(node: cst.Call) -> Iterator[cst.Call]:
    """An argument is ``None``; one that has a name is left out. (To leave out one by position is a ``TypeError``,
    whatever the tests say: mutmut's own operator flatters.)
    """
    for place, arg in enumerate(node.args):
        if arg.star == "" and not m.matches(arg.value, m.Name("None")):
            none = arg.with_changes(value=cst.Name("None"))
            yield node.with_changes(args=[*node.args[:place], none, *node.args[place + 1 :]])
        if arg.keyword is not None:
            yield node.with_changes(args=[*node.args[:place], *node.args[place + 1 :]])


def text(node: cst.BaseString) -> Iterator[cst.BaseString]:
    """Another text: the first of mutmut's three, for its case variants say the same again."""
    yield from list(mutators.operator_string(node))[:1]


_INSTEAD: dict[object, Operator] = {mutators.operator_arg_removal: argument, mutators.operator_string: text}
OPERATORS: Sequence[tuple[type, Operator]] = (
    *((kind, _INSTEAD.get(operator, operator)) for kind, operator in mutators.mutation_operators),
    (cst.If, forced_check),
    (cst.CompIf, forced_check),
    (cst.While, forced_check),
    (cst.Return, lost_return),
    (cst.Expr, lost_statement),
    (cst.Raise, lost_statement),
)
"""Which operators a node of which type is given to."""
