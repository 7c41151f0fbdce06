"""Finds what the engine says and what pages translate, from the source alone."""

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HOLE = "\ue000"  # a value that is known at run time only
# Where the sentences stand in a call: (position, keyword).
SENTENCES = {
    "Problem": ((1, "message"), (6, "hint")),
    "Fault": ((0, "message"), (1, "hint")),
    "KeptRecord": ((1, "key"), (2, "reason")),
}
OF_AN_ERROR = ((0, "message"), (None, "hint"))


@dataclass(frozen=True)
class Said:
    """A place where something is said: the sentences that may come, values as HOLE; None when it is not told there."""

    where: str
    plain: str  # the sentence with a hole for each value
    texts: frozenset[str] | None


@dataclass
class Source:
    """One file of the engine; `constants` are those of all files, by name."""

    path: Path
    constants: dict[str, ast.expr]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def functions(self) -> dict[ast.AST, list[ast.AST]]:
        """The functions around each node, the innermost first."""
        found: dict[ast.AST, list[ast.AST]] = {}

        def visit(node: ast.AST, around: list[ast.AST]) -> None:
            found[node] = around
            inside = [node, *around] if isinstance(node, ast.FunctionDef) else around
            for child in ast.iter_child_nodes(node):
                visit(child, inside)

        visit(self.tree, [])
        return found

    def said(self, errors: dict[str, bool]) -> Iterator[Said]:
        """All that is said; `errors` tells of each class of error whether it makes its sentence itself."""
        for node in ast.walk(self.tree):
            for expression in self._expressions(node, errors):
                yield Said(f"{self.path.name}: {ast.unparse(expression)}", self.holed(expression), self.texts(expression))

    def _expressions(self, node: ast.AST, errors: dict[str, bool]) -> Iterator[ast.expr]:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            if node.targets[0].attr in ("hint", "message") and not isinstance(node.value, ast.Name):
                yield node.value
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            if self.functions[node] and self.functions[node][0].name == "unfit":
                yield node.value.elts[1]
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            places = SENTENCES.get(name) or (OF_AN_ERROR if errors.get(name) is False else ())
            if name == "__init__" and self.path.name == "errors.py" and node.keywords:
                places = OF_AN_ERROR
            if name == "Fault" and self.path.name == "register.py":  # of a form: a name of MESSAGES
                places = ()
            for place, keyword in places:
                yield from (k.value for k in node.keywords if k.arg == keyword)
                if place is not None and len(node.args) > place and not isinstance(node.args[place], ast.Starred):
                    yield node.args[place]

    def holed(self, node: ast.expr) -> str:
        """The text of an f-string with a hole for each value; '' for anything else."""
        if isinstance(node, ast.JoinedStr):
            return "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
        return ""

    def texts(self, node: ast.expr) -> frozenset[str] | None:
        """The texts that an expression may be."""
        if isinstance(node, ast.Constant):
            return frozenset([node.value]) if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr):
            return joined([self._part(part) for part in node.values])
        if isinstance(node, ast.IfExp):
            return either([self.texts(node.body), self.texts(node.orelse)])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return joined([self.texts(node.left) or frozenset([HOLE]), self.texts(node.right) or frozenset([HOLE])])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "strip":
            return self.texts(node.func.value)
        if isinstance(node, ast.Name):
            return either([found for value in self._values(node) for found in [value and self.texts(value)]])
        return None

    def _part(self, part: ast.expr) -> frozenset[str]:
        if isinstance(part, ast.Constant):
            return frozenset([part.value])
        found = None if part.conversion != -1 or part.format_spec else self.texts(part.value)
        return frozenset([HOLE]) if found is None or HOLE in found else found

    def _values(self, name: ast.Name) -> list[ast.expr | None]:
        """What is assigned to a name where it is used, or given for it as an argument."""
        for function in self.functions.get(name, []):
            found = [value for node in ast.walk(function) for value in assigned(node, name.id, self.constants)]
            if found:
                return found
            names = [argument.arg for argument in function.args.args]
            if name.id in names:
                return self._arguments(function.name, names.index(name.id), name.id)
        return [self.constants[name.id]] if name.id in self.constants else []

    def _arguments(self, function: str, place: int, name: str) -> list[ast.expr | None]:
        found: list[ast.expr | None] = []
        for call in ast.walk(self.tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == function:
                found += call.args[place : place + 1] or [k.value for k in call.keywords if k.arg == name]
        return found


def either(found: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [texts for texts in found if texts is not None]
    return frozenset().union(*known) if known else None


def joined(parts: list[frozenset[str]]) -> frozenset[str]:
    return frozenset("".join(chosen) for chosen in itertools.product(*parts))


def assigned(node: ast.AST, name: str, constants: dict[str, ast.expr]) -> Iterator[ast.expr | None]:
    """What a statement or a loop assigns to a name; None where it cannot be told."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from matched(target, node.value, name)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield from matched(node.target, node.value, name)
    elif isinstance(node, ast.For):
        values = constants.get(node.iter.id) if isinstance(node.iter, ast.Name) else node.iter
        for value in values.elts if isinstance(values, (ast.Tuple, ast.List)) else ():
            yield from matched(node.target, value, name)


def matched(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr | None]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple):
        values = value.elts if isinstance(value, ast.Tuple) else [None] * len(target.elts)
        for inner, part in zip(target.elts, values, strict=True):
            if isinstance(inner, ast.Name) and inner.id == name:
                yield part


def engine(paths: list[Path]) -> list[Said]:
    """All that the engine says."""
    constants: dict[str, ast.expr] = {}
    for path in paths:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for target in getattr(node, "targets", [getattr(node, "target", None)]):
                if isinstance(target, ast.Name) and target.id.isupper():
                    constants.setdefault(target.id, node.value)
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    names = zip(target.elts, node.value.elts, strict=True)
                    constants |= {inner.id: value for inner, value in names if isinstance(inner, ast.Name)}
    errors: dict[str, bool] = {}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and path.name == "errors.py":
                makes = any(isinstance(part, ast.FunctionDef) and part.name == "__init__" for part in node.body)
                errors[node.name] = makes and node.name != "SyncError"
    return [said for path in paths for said in Source(path, constants).said(errors)]


def calls_of_t(tree: ast.AST) -> Iterator[ast.expr]:
    """The first argument of each call of T; of `a if x else b` both."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "T":
            yield from branches(node.args[0])


def branches(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.IfExp):
        yield from branches(node.body)
        yield from branches(node.orelse)
    else:
        yield node
