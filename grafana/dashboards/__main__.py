"""`./dev dashboards`: write the JSON of all boards beside the provider that Grafana is told of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from dashboards.boards import BOARDS
from dashboards.model import Dashboard
from dashboards.rendering import text

FOLDER = Path(__file__).parents[1] / "provisioning" / "dashboards"


def dashboards() -> Iterator[Dashboard]:
    """All of them, in the order of the table."""
    for name in BOARDS:
        found = import_module(f"dashboards.boards.{name}").DASHBOARD
        assert isinstance(found, Dashboard), f"{name}.DASHBOARD is no dashboard"
        yield found


def main(folder: Path = FOLDER) -> None:
    """Write what changed and delete what no board makes: Grafana takes a new time for a new version."""
    texts = {f"{dashboard.uid}.json": text(dashboard) for dashboard in dashboards()}
    for old in folder.glob("*.json"):
        if old.name not in texts:
            old.unlink()
    for name, content in texts.items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != content:
            file.write_text(content, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
