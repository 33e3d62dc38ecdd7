"""The dependency rule: rooms import downwards, siblings never, files never in a circle."""

import configparser
import subprocess
import sys
from pathlib import Path

from tests.architecture.sources import ROOT, require_none


def test_rooms_import_only_from_rooms_below_them() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    require_none(
        [run.stdout + run.stderr] if run.returncode else [],
        "move the shared word down into model or messages, let services meet through messages and ports, and "
        "let runtime choose the parts; a new room gets its place in .importlinter (see ARCHITECTURE.md)",
    )


def test_every_room_has_a_place_in_the_layers_and_a_line_that_says_what_lives_there() -> None:
    layers = configparser.ConfigParser()
    layers.read(ROOT / ".importlinter")
    listed = layers["importlinter:contract:layers"]["layers"].replace("|", " ").split()
    package = ROOT / "src" / "openbell"
    # A link leads to files that the package ships and nobody imports (example data, example strategies).
    rooms = {
        folder.name: folder
        for folder in package.iterdir()
        if any(folder.glob("*.py")) and not folder.is_symlink()
    }
    missing = [f"src/openbell/{room}: not in .importlinter" for room in rooms if room not in listed]
    silent = [
        f"src/openbell/{room}: no docstring in __init__.py"
        for room, folder in rooms.items()
        if not (folder / "__init__.py").is_file()
        or not (folder / "__init__.py").read_text(encoding="utf-8").startswith('"""')
    ]
    require_none(
        sorted(missing + silent),
        "give the room its layer (without parentheses, once built) and one line that says what lives there",
    )


def test_every_room_above_the_platform_has_something_living_in_it() -> None:
    package = ROOT / "src" / "openbell"
    rooms = [folder for folder in sorted(package.iterdir()) if (folder / "__init__.py").is_file()]
    require_none(
        [f"src/openbell/{room.name}: empty" for room in rooms if not _has_code(room)],
        "a room is built when something lives in it: delete it and put its layer in parentheses",
    )


def _has_code(room: Path) -> bool:
    own = (room / "__init__.py").read_text(encoding="utf-8")
    return len(list(room.rglob("*.py"))) > 1 or "import" in own or "def " in own
