"""What a domain must not do, found in its syntax tree, with what to do instead.

A domain decides from its arguments alone, so the same journal gives the same bytes on every machine.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

INSTEAD = {
    "clock": "take the time as an argument (time_ns), or read it from the record that is being handled",
    "randomness": "take a seeded generator as an argument; a strategy has self.random",
    "set": "use dict.fromkeys(...) or a tuple: a set iterates in an order that differs between processes "
    "(sorted({...}), len({...}), comparisons, and a frozenset that is never iterated are fine)",
    "hash": "use a field of the object as key, or the kernel's hash: hash() and id() change per process",
    "float money": "use Price, Quantity or Money, or integers counting the instrument's units",
    "input and output": "let a Source or a Sink in the shells do it and pass in what was read",
    "concurrency": "stay synchronous: the node's loop decides what runs next, shells own threads and async",
    "pickle": "write versioned plain data: numbers, strings, lists, dicts",
    "kernel": "import it from openbell.kernel, the one typed door to the compiled engine",
}

# modules that a domain has no business importing
MODULES = {
    "time": "clock",
    "random": "randomness",
    "secrets": "randomness",
    "uuid": "randomness",
    "numpy.random": "randomness",
    "socket": "input and output",
    "ssl": "input and output",
    "requests": "input and output",
    "httpx": "input and output",
    "urllib": "input and output",
    "http": "input and output",
    "subprocess": "input and output",
    "sqlite3": "input and output",
    "tempfile": "input and output",
    "shutil": "input and output",
    "asyncio": "concurrency",
    "anyio": "concurrency",
    "threading": "concurrency",
    "multiprocessing": "concurrency",
    "concurrent": "concurrency",
    "pickle": "pickle",
    "marshal": "pickle",
    "shelve": "pickle",
}

# calls by their dotted end, whatever they are called on
CALLS = {
    "datetime.now": "clock",
    "datetime.utcnow": "clock",
    "datetime.today": "clock",
    "date.today": "clock",
    "Timestamp.now": "clock",
    "pandas.Timestamp.utcnow": "clock",
    "os.urandom": "randomness",
    "np.random": "randomness",
    "numpy.random": "randomness",
    "os.environ": "input and output",
    "os.getenv": "input and output",
    "sys.stdin": "input and output",
}

BUILTINS = {
    "open": "input and output",
    "input": "input and output",
    "hash": "hash",
    "id": "hash",
    "set": "set",
}

# methods of paths; no domain has others of these names
METHODS = dict.fromkeys(
    (
        "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "iterdir", "glob", "rglob",
        "read_csv", "read_parquet", "scan_csv", "scan_parquet", "write_parquet", "write_csv",
    ),
    "input and output",
)  # fmt: skip

# what does not care in which order a set iterates
ORDER_FREE = ("sorted", "len", "min", "max", "any", "all", "bool", "frozenset")

MONEY_WORDS = {
    "price", "amount", "money", "cash", "fee", "fees", "notional", "balance", "equity", "quantity", "cost",
    "tick", "lot", "margin", "exposure",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Violation:
    """One place that breaks one rule."""

    path: str
    line: int
    rule: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found} ({self.rule}). Instead: {INSTEAD[self.rule]}"


def violations(source: str, path: str) -> list[Violation]:
    """Every place in a Python source that a domain must not contain."""
    tree = ast.parse(source, path)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    judged = [(node, rule, found) for node in ast.walk(tree) for rule, found in _judge(node, parents)]
    judged += [
        (node, "set", f"iteration over the frozenset {node.id}") for node in _iterated_frozensets(tree)
    ]
    return [Violation(path, getattr(node, "lineno", 0), rule, found) for node, rule, found in judged]


def kernel_imports(source: str, path: str) -> list[Violation]:
    """Every import of the compiled module."""
    return [
        Violation(path, getattr(node, "lineno", 0), "kernel", found)
        for node in ast.walk(ast.parse(source, path))
        for found in _imports(node)
        if found == "openbell._kernel" or found.startswith("openbell._kernel.")
    ]


def _judge(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import() | ast.ImportFrom():
            yield from _judge_import(node)
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            yield "concurrency", "async"
        case ast.Set() | ast.SetComp():
            if not _is_order_free(node, parents):
                yield "set", "a set"
        case ast.For(iter=ast.Call(func=ast.Name(id="frozenset"))):
            yield "set", "iteration over a frozenset"
        case ast.Call():
            yield from _judge_call(node, parents)
        case ast.Attribute() if rule := CALLS.get(_tail(node)):
            yield rule, _tail(node)
        case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), annotation=annotation):
            if _is_money(name) and _is_only_float(annotation):
                yield "float money", f"{name}: float"
        case ast.arg(arg=name, annotation=annotation) if annotation is not None:
            if _is_money(name) and _is_only_float(annotation):
                yield "float money", f"{name}: float"


def _imports(node: ast.AST) -> list[str]:
    """Dotted names that a node imports, the imported member included."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names):
            return [f"{module}.{alias.name}" for alias in names]
        case ast.Call(args=[ast.Constant(value=str(text)), *_]) if _tail(node.func).endswith("import_module"):
            return [text]
    return []


def _judge_import(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for name in _imports(node):
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            rule = MODULES.get(".".join(parts[:length]))
            if rule:
                yield rule, f"import of {name}"
                break


def _judge_call(node: ast.Call, parents: dict[ast.AST, ast.AST]) -> Iterator[tuple[str, str]]:
    match node.func:
        case ast.Name(id="float") if node.args and _is_money(_tail(node.args[0]).split(".")[-1]):
            yield "float money", f"float({_tail(node.args[0])})"
        case ast.Name(id="hash" | "id") if _enclosing_function(node, parents) == "__hash__":
            return
        case ast.Name(id="set") if _is_order_free(node, parents):
            return
        case ast.Name(id=name) if name in BUILTINS:
            yield BUILTINS[name], f"{name}()"
        case ast.Attribute(attr=name) if name in METHODS:
            yield METHODS[name], f".{name}()"


def _tail(node: ast.AST) -> str:
    """The last two parts of a dotted expression: `datetime.now` for `dt.datetime.now`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            before = _tail(value).split(".")[-1]
            return f"{before}.{name}" if before else name
    return ""


def _is_order_free(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a set is used up at once by something that gives the same answer in any order."""
    parent = parents.get(node)
    match parent:
        case ast.Compare():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in ORDER_FREE
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.BitXor() | ast.Sub()):
            return _is_order_free(parent, parents)
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            return test is node
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.comprehension(ifs=conditions):
            return node in conditions
    return False


def _iterated_frozensets(tree: ast.Module) -> Iterator[ast.Name]:
    names = [
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and _tail(node.value.func) == "frozenset"
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.For | ast.comprehension)
            and isinstance(node.iter, ast.Name)
            and node.iter.id in names
        ):
            yield node.iter


def _enclosing_function(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.FunctionDef):
            return node.name
    return ""


def _is_money(name: str) -> bool:
    words = name.lower().strip("_").split("_")
    return words[-1] in MONEY_WORDS


def _is_only_float(annotation: ast.expr) -> bool:
    match annotation:
        case ast.Name(id="float"):
            return True
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            either = (left, right)
            optional = any(isinstance(side, ast.Constant) and side.value is None for side in either)
            return optional and any(_is_only_float(side) for side in either)
    return False
