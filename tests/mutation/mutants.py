"""The mutants of a package: all of them, those left out by rule, and a sample by seed. Reads code; writes nothing."""

from __future__ import annotations

import difflib
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

import libcst as cst
import libcst.matchers as m
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from tests.mutation.codes import same
from tests.mutation.operators import OPERATORS

_BLANK = re.compile(r"\s")


def _is_wording(node: cst.CSTNode) -> bool:
    """True for a text with a blank in it: a sentence for people. A code has none."""
    if isinstance(node, cst.FormattedString):
        return any(isinstance(part, cst.FormattedStringText) and _BLANK.search(part.value) for part in node.parts)
    return isinstance(node, cst.ConcatenatedString) or (
        isinstance(node, cst.SimpleString) and _BLANK.search(node.value) is not None
    )


_TYPE = m.Annotation() | m.Call(func=m.Name("TypeVar") | m.Name("NewType") | m.Name("cast"))
_ALIAS = m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias")))
RULES: Sequence[tuple[str, m.BaseMatcherNode]] = (
    ("docstrings", m.Expr(m.SimpleString() | m.ConcatenatedString())),
    ("annotations and types", _TYPE | _ALIAS),
    ("decorators", m.Decorator()),
    ("asserts, which narrow types", m.Assert()),
    ("the log", m.Expr(m.Call(func=m.Attribute(value=m.Name("log")))) | m.Assign([m.AssignTarget(m.Name("log"))])),
    ("failpoints, for chaos alone", m.Expr(m.Call(func=m.Name("hit")))),
    ("__all__", m.Assign(targets=[m.AssignTarget(m.Name("__all__"))])),
    ("zip(strict=True), which never fires", m.Arg(keyword=m.Name("strict"), value=m.Name("True"))),
)
WORDING = "wording for people"


def rule_of(node: cst.CSTNode) -> str | None:
    """The rule by which a node, with all that is in it, is not sampled: no behaviour that a test could hold to."""
    if _is_wording(node) or (isinstance(node, cst.Arg) and _is_wording(node.value)):
        return WORDING
    return next((name for name, matcher in RULES if m.matches(node, matcher)), None)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One small fault: where it is, what was there and what is there instead.

    ``lines`` are those of its statement (of its head, if statements are in it); ``names`` are what that statement
    binds, for values that are made when the module is loaded.
    """

    path: str
    number: int
    line: int
    lines: range
    names: tuple[str, ...]
    code: str = field(repr=False)

    @property
    def module(self) -> str:
        """The module's dotted name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def shown(self, root: Path) -> str:
        """The lines that it takes away and puts in."""
        before = (root / self.path).read_text("utf-8").splitlines()
        changed = difflib.ndiff(before, self.code.splitlines())
        return "\n".join(line for line in changed if line[0] in "-+")

    def told(self, root: Path) -> str:
        """Its place and its change, in one line."""
        changed = " / ".join(f"{line[0]} {line[2:].strip()}" for line in self.shown(root).splitlines())
        return f"{self.path}:{self.line}: {changed}"


@dataclass(frozen=True)
class _Site:
    """A node, what may stand in its place, the statement that it is in, and that of the module, by its number."""

    top: int
    node: cst.CSTNode
    instead: cst.CSTNode
    line: int
    lines: range
    names: tuple[str, ...]


class _Finder(cst.CSTVisitor):
    """Walks a module; keeps the places of mutants, counts those left out by rule."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.sites: list[_Site] = []
        self.left_out: Counter[str] = Counter()
        self._rules: list[str | None] = [None]
        self._statements: list[tuple[range, tuple[str, ...]]] = [(range(1, 2), ())]
        self._tops: dict[cst.CSTNode, int] = {}
        self._top = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Module):
            self._tops = {statement: number for number, statement in enumerate(node.body)}
        self._top = self._tops.get(node, self._top)
        self._rules.append(self._rules[-1] or rule_of(node))
        self._statements.append(self._statement(node) or self._statements[-1])
        for instead in _instead(node):
            if rule := self._rules[-1] or _rule_of_lost(node, instead):
                self.left_out[rule] += 1
            else:
                self.sites.append(_Site(self._top, node, instead, self._place(node).start.line, *self._statements[-1]))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._rules.pop()
        self._statements.pop()

    def _place(self, node: cst.CSTNode) -> CodeRange:
        place: CodeRange = self.get_metadata(PositionProvider, node, CodeRange((1, 0), (1, 0)))
        return place

    def _statement(self, node: cst.CSTNode) -> tuple[range, tuple[str, ...]] | None:
        place = self._place(node)
        if isinstance(node, cst.SimpleStatementLine):
            return range(place.start.line, place.end.line + 1), tuple(_bound(node))
        if isinstance(getattr(node, "body", None), cst.IndentedBlock):
            first = self._place(node.body.body[0]).start.line  # type: ignore[attr-defined]  # the line above asked
            name = (node.name.value,) if isinstance(node, cst.FunctionDef | cst.ClassDef) else ()
            return range(place.start.line, max(place.start.line + 1, first)), name
        return None


def _bound(statement: cst.SimpleStatementLine) -> Iterator[str]:
    for part in statement.body:
        if isinstance(part, cst.Assign):
            yield from (each.target.value for each in part.targets if isinstance(each.target, cst.Name))
        elif isinstance(part, cst.AnnAssign) and isinstance(part.target, cst.Name):
            yield part.target.value


def _instead(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in OPERATORS:
        if isinstance(node, kind):
            yield from operator(node)


def _rule_of_lost(node: cst.CSTNode, instead: cst.CSTNode) -> str | None:
    """The rule about an argument that a call loses."""
    if not (isinstance(node, cst.Call) and isinstance(instead, cst.Call)):
        return None
    kept = {id(arg) for arg in instead.args}
    return next((rule for arg in node.args if id(arg) not in kept and (rule := rule_of(arg))), None)


@dataclass(frozen=True)
class _Module:
    """One module: its tree and what it compiles to."""

    path: str
    tree: cst.Module
    compiled: CodeType

    def mutated(self, site: _Site) -> str | None:
        """The whole text with one place changed; ``None`` if it does not compile, or to the same code."""
        body = list(self.tree.body)
        changed = body[site.top].deep_replace(site.node, site.instead)
        assert isinstance(changed, cst.SimpleStatementLine | cst.BaseCompoundStatement)
        body[site.top] = changed
        text = self.tree.with_changes(body=body).code
        try:
            compiled = compile(text, self.path, "exec")
        except SyntaxError:
            return None
        return None if same(compiled, self.compiled) else text


@dataclass(frozen=True)
class Population:
    """All places of mutants in the modules of a package, and how many were left out by each rule."""

    sites: Sequence[tuple[_Module, int, _Site]]
    left_out: Counter[str]

    @classmethod
    def of(cls, root: Path, package: str) -> Population:
        """Read a folder, such as ``hub/tracking``, under ``root``."""
        sites: list[tuple[_Module, int, _Site]] = []
        left_out = Counter[str]()
        for file in sorted((root / package).rglob("*.py")):
            path = str(file.relative_to(root))
            wrapper = MetadataWrapper(cst.parse_module(file.read_text("utf-8")))
            finder = _Finder()
            wrapper.visit(finder)
            module = _Module(path, wrapper.module, compile(wrapper.module.code, path, "exec"))
            left_out += finder.left_out
            sites += [(module, number, site) for number, site in enumerate(finder.sites)]
        return cls(sites, left_out)

    def sample(self, size: int, seed: int) -> list[Mutant]:
        """Draw ``size`` mutants that compile to other code than what is there; all of them, if there are fewer."""
        order = list(self.sites)
        random.Random(seed).shuffle(order)
        drawn: list[Mutant] = []
        for module, number, site in order:
            if len(drawn) == size:
                break
            if (code := module.mutated(site)) is not None:
                drawn.append(
                    Mutant(
                        path=module.path, number=number, line=site.line, lines=site.lines, names=site.names, code=code
                    )
                )
        return drawn
