"""The source of a strategy, as it goes into the run folder, and back again."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Literal

from openbell.model.errors import DivergenceError, StrategyError
from openbell.runtime.program_slice import needed_source

Origin = Literal["file", "script", "notebook", "unknown"]


@dataclass(frozen=True)
class StrategySource:
    """Files that define a strategy: `files` by their path in the folder, `main` the one with the class.

    `missing` says why the source is not there (then `files` is empty) or cannot be run again; the run cannot be replayed with
    its strategy then.
    """

    class_name: str
    main: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    origin: Origin = "unknown"
    missing: str | None = None

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file, by path."""
        return {path: hashlib.sha256(content).hexdigest() for path, content in sorted(self.files.items())}

    def table(self) -> dict[str, object]:
        """What run.toml says of it."""
        return {
            "class": self.class_name,
            "file": self.main or None,
            "origin": self.origin,
            "is_replayable": self.missing is None,
            "reason": self.missing,
            "files": self.hashes,
        }


def source_of(strategy: type, stem: str = "strategy") -> StrategySource:
    """Find the source of a strategy (or another) class.

    That is its file with the local files it imports; of a script or notebook the part that it needs, as a file called `stem`.
    Never raises: what cannot be found is said in `missing`.
    """
    name = strategy.__qualname__
    if "<locals>" in name:
        return StrategySource(
            name, missing=f"{name} is defined inside a function; define it at the top level of its file"
        )
    try:
        if strategy.__module__ == "__main__":
            return _of_main(name, f"{stem}.py")
        return _of_module(strategy, name)
    except OSError as error:
        return StrategySource(name, missing=f"its source cannot be read: {error}")


def _of_module(strategy: type, name: str) -> StrategySource:
    module = sys.modules.get(strategy.__module__)
    path = _file(module)
    if path is None:
        return StrategySource(name, missing=f"its module {strategy.__module__} has no source file")
    root = path.parents[strategy.__module__.count(".")] if path.name != "__init__.py" else path.parent.parent
    files = _with_local_imports(path, root)
    return StrategySource(name, path.relative_to(root).as_posix(), files, "file")


def _of_main(name: str, main: str) -> StrategySource:
    cells = _notebook_cells()
    path = _file(sys.modules.get("__main__"))
    if not cells and path is None:
        return StrategySource(
            name, missing=f"{name} was typed into an interpreter that keeps no source; put it in a file"
        )
    script = [path.read_text(encoding="utf-8")] if path else []
    text = needed_source(cells or script, name.split(".")[0])
    if text is None:
        return StrategySource(name, missing=f"no statement at the top level defines {name}")
    root = path.parent if path and not cells else Path.cwd()
    files = _local_imports(text, root, {main: text.encode()})
    return StrategySource(name, main, files, "notebook" if cells else "script")


def _notebook_cells() -> Sequence[str]:
    """What was run in this IPython session so far, without magics; nothing outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return [str(cell) for cell in shell.user_ns.get("In", [])] if shell is not None else []


def _file(module: ModuleType | None) -> Path | None:
    name = getattr(module, "__file__", None)
    if not name or not name.endswith(".py"):
        return None
    path = Path(name).resolve()
    return path if path.is_file() else None


def _with_local_imports(path: Path, root: Path) -> dict[str, bytes]:
    content = path.read_bytes()
    return _local_imports(content.decode("utf-8"), root, {path.relative_to(root).as_posix(): content})


def _local_imports(text: str, root: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """Add the files below `root` that a program imports, and those that they import."""
    if root.resolve().is_relative_to(Path(sys.prefix).resolve()):
        return files  # an installed package: it is named by its version
    for module in _imported(text):
        for path in _module_files(root, module):
            key = path.relative_to(root).as_posix()
            if key not in files:
                files[key] = path.read_bytes()
                _local_imports(files[key].decode("utf-8"), root, files)
    return files


def _imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_files(root: Path, module: str) -> Iterator[Path]:
    """The files that importing a local module runs: itself and the packages around it."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


def load_class(folder: Path, main: str, class_name: str, hashes: Mapping[str, str]) -> type:
    """Import a class from the files in a run folder, after checking that they are the ones that ran.

    Raises DivergenceError for a file that was changed, StrategyError where the class cannot be imported.
    """
    for name, recorded in hashes.items():
        path = folder / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        if found != recorded:
            raise DivergenceError(
                f"{path} is not the source that ran: SHA-256 {recorded} was recorded, found {found}"
            )
    module = import_file(folder / main, search=folder)
    found_class: object = module
    for part in class_name.split("."):
        found_class = getattr(found_class, part, None)
    if not isinstance(found_class, type):
        raise StrategyError(f"{folder / main} defines no class {class_name}")
    return found_class


def import_file(path: Path, *, search: Path | None = None) -> ModuleType:
    """Import a Python file as a module of its own name; its folder (or `search`) comes first on the import path.

    Raises StrategyError naming the file, the line and the error where it cannot be imported.
    """
    name = path.stem if path.stem.isidentifier() else "strategy_file"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    place = str((search or path.parent).resolve())
    if place not in sys.path:
        sys.path.insert(0, place)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and annotations look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        if before is not None:
            sys.modules[name] = before
        else:
            del sys.modules[name]
        message = error.msg if isinstance(error, SyntaxError) else error
        raise StrategyError(f"{path}{_line_of(error, path)}: {type(error).__name__}: {message}") from error
    return module


def _line_of(error: BaseException, path: Path) -> str:
    name = str(path.resolve())
    if isinstance(error, SyntaxError) and error.filename in (str(path), name):
        return f", line {error.lineno}"
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in (str(path), name):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""
