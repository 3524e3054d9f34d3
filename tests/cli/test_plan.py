"""`pegel plan` on a state that a real configuration has made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pegel.cli import app
from pegel.errors import ConfigError, StateError

CONFIG = """
[runner]
state = "state"

[[sources]]
name = "shop"
type = "file"
path = "shop.log"
format.template = '{time} {page} {status:int}'
time = { column = "time", format = "unix" }

[[metrics]]
name = "hits"
every = "1m"
labels = ["page"]
values.total = { value = "count(*)", kind = "counter" }
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a configuration that was run once."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.log").write_text("1772539200 a 200\n1772539290 b 500\n")
    (tmp_path / "config.toml").write_text(CONFIG)
    assert pegel("run", "--once").exit_code == 0
    return tmp_path


def pegel(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def changed(place: Path, old: str, new: str) -> str:
    (place / "new.toml").write_text(CONFIG.replace(old, new))
    return "new.toml"


def test_an_unchanged_configuration_changes_nothing(place: Path) -> None:
    del place
    result = pegel("plan")
    assert result.exit_code == 0
    assert result.stdout == (
        "= source shop  goes on where it is\n"
        "= metric hits  counts as before\n"
        "= sink local   gets points as before\n"
        "3 unchanged\n"
    )


def test_a_loss_is_told_and_refused_on_request(place: Path) -> None:
    """A script that rolls out configurations stops here, a person reads why."""
    new = changed(place, "count(*)", "count(*) filter (where status < 500)")
    result = pegel("plan", new)
    assert result.exit_code == 0
    assert "! metric hits  values.total changed; its old definition counts up to 2026-03-03 12:02:00" in result.stdout
    assert result.stdout.endswith("2 unchanged, 1 to think about\n")
    assert pegel("plan", new, "--refuse-loss").exit_code == 1


def test_machines_get_json(place: Path) -> None:
    result = pegel("plan", changed(place, '"1m"', '"5m"'), "--json", "--refuse-loss")
    assert result.exit_code == 0
    lines = json.loads(result.stdout)
    assert [(line["mark"], line["what"], line["name"], line["loses"]) for line in lines] == [
        ("=", "source", "shop", False),
        ("~", "metric", "hits", False),
        ("=", "sink", "local", False),
    ]


def test_what_run_would_refuse_has_the_exit_code_of_run(place: Path) -> None:
    new = changed(place, 'name = "shop"', 'name = "web"')
    result = pegel("plan", new)
    assert result.exit_code == 3
    assert "! source web   run refuses it" in result.stdout
    assert isinstance(pegel("run", "--once", new).exception, StateError)
    assert isinstance(pegel("plan", changed(place, "count(*)", "cuont(*)")).exception, ConfigError)


def test_nothing_is_written(place: Path) -> None:
    """It is asked on a production machine, beside the running runner."""
    before = {path: path.read_bytes() for path in (place / "state").rglob("*") if path.is_file()}
    pegel("plan", changed(place, "count(*)", "count(*) filter (where status < 500)"))
    after = {path: path.read_bytes() for path in (place / "state").rglob("*") if path.is_file()}
    assert {path.name for path in before} <= {path.name for path in after}
    assert all(after[path] == text for path, text in before.items() if path.suffix == ".db")


def test_a_state_that_is_not_there_yet_is_no_error(place: Path) -> None:
    result = pegel("plan", "--state", str(place / "other"))
    assert result.exit_code == 0
    assert result.stdout.startswith(f"no configuration was run on {place / 'other'} yet; all of this one begins anew\n")
    assert not (place / "other").exists()
