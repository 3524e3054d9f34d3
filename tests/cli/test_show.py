from __future__ import annotations

from pathlib import Path

import tomli
from typer.testing import CliRunner

from config.conftest import METRIC, SOURCE
from pegel.cli import app


def test_the_output_is_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SOURCE + METRIC)
    result = CliRunner().invoke(app, ["show", str(path)])
    assert result.exit_code == 0
    assert tomli.loads(result.stdout) == tomli.loads(SOURCE + METRIC)
