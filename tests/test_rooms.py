"""The rooms of the house: which may know which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "runner" / "pegel"

COMPONENTS = ("sources", "formats", "enrichers", "metrics", "state", "sinks")

ROOT_MODULES = {
    "arrow",
    "clocks",
    "crowd",
    "errors",
    "eventtime",
    "listening",
    "logs",
    "memory",
    "plan",
    "reaching",
    "seams",
    "secret",
    "sql",
    "sqlnames",
    "table",
    "units",
}

ALLOWED = {
    # a component knows its own room and the root modules; these exceptions are contracts, not machinery
    "sources": {"formats"},  # a piece says what is known about the bytes behind it (`formats.End`)
    "formats": set(),
    "enrichers": {"formats"},  # a filter keeps what the format has refused (`formats.REJECT`)
    "metrics": {"sinks"},  # values and kinds of a point are declared where points are
    "state": set(),
    "sinks": set(),
    "pipeline": {*COMPONENTS},
    "config": {"sources", "formats", "enrichers", "metrics", "sinks", "presets"},
    "samples": set(),
    "presets": set(),
    "web": set(),
    "scale": {*COMPONENTS, "pipeline"},
    "cli": {*COMPONENTS, "pipeline", "config", "samples", "presets", "web", "scale"},
}


def imports(path: Path) -> Iterator[str]:
    """The second word of every `pegel.<room>` that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "pegel" else [f"pegel.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "pegel" and len(parts) > 1:
                yield parts[1]


ROOMS = sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py")))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_the_rooms_below_it(room: str) -> None:
    """An arrow that points back makes two rooms one."""
    for path in (PACKAGE / room).rglob("*.py"):
        known = set(imports(path)) - ROOT_MODULES - {room, "__version__"}
        assert known <= ALLOWED[room], f"{path.relative_to(PACKAGE)} imports {sorted(known - ALLOWED[room])}"


def test_every_room_has_a_rule() -> None:
    assert set(ROOMS) <= ALLOWED.keys()


def test_root_modules_know_only_contracts() -> None:
    """Root modules are below every room; the plan alone names the contracts it is made of."""
    for path in PACKAGE.glob("*.py"):
        if path.stem not in ("plan", "__main__"):
            assert set(imports(path)) <= ROOT_MODULES | {"__version__"}, path.name


def test_no_component_imports_another_component_of_its_room() -> None:
    """`sources/file.py` may use `sources/inflate.py`, but the things a config can name do not know each other."""
    import importlib

    for room in ("sources", "formats", "enrichers", "sinks"):
        table = importlib.import_module(f"pegel.{room}").BUILTIN
        modules = {target.split(":")[0] for target in table.values()}
        for module in modules:
            path = PACKAGE.parent / Path(*module.split(".")).with_suffix(".py")
            if path.exists():
                found = {
                    node.module
                    for node in ast.walk(ast.parse(path.read_text()))
                    if isinstance(node, ast.ImportFrom) and node.module in modules
                }
                assert not found, f"{module} imports {found}"
