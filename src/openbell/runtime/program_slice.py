"""The part of a program that one of its classes needs.

A strategy written in a notebook or in a script stands among statements that load data and run backtests. Only what its class
needs goes into the run folder: its definition, and the imports, functions, classes and values it names, in their order.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """One statement at the top level of a program: its text, the names it binds and those it uses."""

    text: str
    binds: frozenset[str]
    uses: frozenset[str]
    is_always_kept: bool

    @property
    def only_changes(self) -> bool:
        """It needs an earlier statement that binds the same name (`x += 1`)."""
        return bool(self.binds & self.uses)


def needed_source(cells: Sequence[str], name: str) -> str | None:
    """Return the statements of `cells` (texts that ran one after the other) that the class `name` needs, as one text.

    None where no cell defines `name`. Cells that are no Python (a magic, a mistake that was corrected later) are left out.
    """
    statements = [statement for cell in cells for statement in _statements(cell)]
    chosen: dict[int, None] = {}
    wanted = [name]
    seen: dict[str, None] = {}
    while wanted:
        one = wanted.pop()
        if one in seen:
            continue
        seen[one] = None
        for index in _binding(statements, one):
            chosen[index] = None
            wanted += sorted(statements[index].uses)
    if not any(name in statements[index].binds for index in chosen):
        return None
    kept = [index for index, one in enumerate(statements) if index in chosen or one.is_always_kept]
    first = [index for index in kept if statements[index].text.startswith("from __future__")]
    rest = [index for index in kept if index not in first]
    return "\n".join(dict.fromkeys(statements[index].text for index in (*first, *rest))) + "\n"


def _binding(statements: Sequence[Statement], name: str) -> Iterator[int]:
    """The last statement that binds `name`, and the earlier ones it builds upon."""
    for index in range(len(statements) - 1, -1, -1):
        if name in statements[index].binds:
            yield index
            if not statements[index].only_changes:
                return


def _statements(cell: str) -> list[Statement]:
    try:
        body = ast.parse(cell).body
    except SyntaxError:
        return []
    lines = cell.splitlines(keepends=True)
    return [_statement(node, lines) for node in body if not _is_main_guard(node)]


def _statement(node: ast.stmt, lines: Sequence[str]) -> Statement:
    binds = frozenset(_bound(node))
    uses = frozenset(_used(node)) - frozenset(dir(builtins))
    is_star = isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return Statement(_text(node, lines), binds, uses, is_star or is_future)


def _text(node: ast.stmt, lines: Sequence[str]) -> str:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)]) - 1
    last = node.end_lineno or node.lineno
    text = list(lines[first:last])
    if node.end_col_offset is not None and not decorators:  # two statements may share a line
        text[-1] = text[-1].encode()[: node.end_col_offset].decode()
        text[0] = text[0].encode()[node.col_offset :].decode() if len(text) > 1 else _cut(lines, node)
    return "".join(text).rstrip() + "\n"


def _cut(lines: Sequence[str], node: ast.stmt) -> str:
    return lines[node.lineno - 1].encode()[node.col_offset : node.end_col_offset].decode()


def _is_main_guard(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, which an import does not run either."""
    return isinstance(node, ast.If) and any(
        isinstance(one, ast.Name) and one.id == "__name__" for one in ast.walk(node.test)
    )


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a statement binds at the top level, those inside its blocks (if, try, with, for) included."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
            return
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in names)
            return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from _bound(child)
        elif isinstance(child, ast.ExceptHandler):
            for inner in child.body:
                yield from _bound(inner)
        else:
            yield from (
                one.id
                for one in ast.walk(child)
                if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
            )


def _used(node: ast.stmt) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            yield one.id
        elif isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name):
            yield one.target.id
        elif isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.isidentifier():
            yield one.value  # an annotation in quotes
