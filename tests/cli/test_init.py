from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from pegel.cli import app


def test_a_new_file_is_not_for_everybody(tmp_path: Path) -> None:
    """It may come to hold a token, and `check` refuses that in a file that everybody can read."""
    path = tmp_path / "config.toml"
    result = CliRunner().invoke(app, ["init", str(path)])
    assert result.exit_code == 0
    assert "pegel check" in result.stdout
    assert path.stat().st_mode & 0o007 == 0
    assert path.read_text().startswith("# Pegel")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine")
    result = CliRunner().invoke(app, ["init", str(path)])
    assert result.exit_code == 1
    assert "nothing was written" in result.stderr
    assert path.read_text() == "mine"


def test_an_unknown_preset_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(tmp_path / "c.toml"), "--preset", "nope"])
    assert result.exit_code == 2
    assert 'there is no preset "nope"' in result.stderr
    assert not (tmp_path / "c.toml").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(tmp_path / "nowhere" / "c.toml")])
    assert result.exit_code == 1
    assert "cannot be written: no such file or directory" in result.stderr
