"""Any command of Openbell on a compiled engine that can be made to panic.

    python -m tests.gateway.sabotaged LIBRARY ARGUMENTS OF openbell

`LIBRARY` is the compiled module of `cargo build -p openbell-python --features sabotage`, which no wheel has.
"""

import importlib.util
import sys
from importlib.machinery import ExtensionFileLoader


def load(library: str) -> None:
    """Put a compiled module in the place of the installed one, before anybody asks for it."""
    name = "openbell._kernel"
    loader = ExtensionFileLoader(name, library)
    spec = importlib.util.spec_from_file_location(name, library, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)


def main() -> int:
    load(sys.argv[1])
    from openbell.cli.app import run

    return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
