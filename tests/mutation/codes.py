"""Compiled code: whether two are the same, and a mutant put into functions that live already."""

from __future__ import annotations

import gc
import inspect
from collections import defaultdict
from collections.abc import Iterable
from types import CodeType, FunctionType


def _parts(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    """Everything of a code but its line numbers and the codes in it."""
    values = [(type(each), repr(each)) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, code.co_flags, code.co_exceptiontable, values


def same(one: CodeType, other: CodeType) -> bool:
    """True if both do the same, wherever their lines are."""
    inside = _parts(one), _parts(other)
    return (
        _own(one) == _own(other)
        and len(inside[0]) == len(inside[1])
        and all(same(*pair) for pair in zip(*inside, strict=True))
    )


def _is_body(code: CodeType) -> bool:
    """True for a module and a class: what runs once, when it is loaded."""
    return not code.co_flags & inspect.CO_OPTIMIZED


def changed_functions(before: CodeType, after: CodeType) -> list[tuple[CodeType, CodeType]] | None:
    """The functions of a module that differ, old and new; ``None`` if what runs at loading differs."""
    pairs: list[tuple[CodeType, CodeType]] = []
    return pairs if _compare(before, after, pairs) else None


def _compare(before: CodeType, after: CodeType, pairs: list[tuple[CodeType, CodeType]]) -> bool:
    if same(before, after):
        return True
    if not _is_body(before):
        pairs.append((before, after))
        return True
    inside = _parts(before), _parts(after)
    if _own(before) != _own(after) or len(inside[0]) != len(inside[1]):
        return False
    return all(_compare(*pair, pairs) for pair in zip(*inside, strict=True))


class Living:
    """The functions that live in this process, by where they were defined; those of some folders."""

    def __init__(self, folders: Iterable[str]) -> None:
        within = tuple(folders)
        self._functions: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
        for each in gc.get_objects():
            if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(within):
                self._functions[_key(each.__code__)].append(each)

    def put_in(self, pairs: Iterable[tuple[CodeType, CodeType]]) -> bool:
        """Change the functions of these codes, old and new; false if none lives, or none that the new code fits."""
        for old, new in pairs:
            functions = self._functions.get(_key(old), [])
            if not functions or any(len(each.__code__.co_freevars) != len(new.co_freevars) for each in functions):
                return False
            for each in functions:
                each.__code__ = new
        return True


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno
