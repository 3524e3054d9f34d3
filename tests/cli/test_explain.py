"""`pegel explain`, as it is read at a terminal and copied into a message."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pegel.cli import app
from pegel.cli.explain_view import lines
from pegel.cli.terminal import Terminal
from pegel.config import load
from pegel.pipeline.explaining import explain

CONFIG = """
[[sources]]
name = "shop"
type = "file"
path = "shop.log"
format.template = '{time} {client} {page} {status:int}'
time = { column = "time", format = "unix" }
private = ["client"]

[[enrichers]]
type = "sql"
columns.page = "lower(page)"

[[metrics]]
name = "hits"
every = "1m"
labels = ["page"]
values.total = "count(*)"
values.users = "count(distinct client)"

[[metrics]]
name = "errors"
every = "1m"
where = "status >= 500"
values.n = "count(*)"
"""

CANARY = "203.0.113.77"
RECORD = f"1772539201 {CANARY} /CART 200"

SHOWN = """\
record 1
  format
    + time    VARCHAR  1772539201
    + client  VARCHAR  *** (private)
    + page    VARCHAR  /CART
    + status  BIGINT   200
  enricher 1 (sql)
    ~ page    VARCHAR  /cart  (was /CART)
  time 2026-03-03 12:00:01 UTC
  hits: counted in 2026-03-03 12:00:00 to 2026-03-03 12:01:00 under page=/cart
    alone it makes  total 1  users 1
  errors: not counted, since status >= 500 is false
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "config.toml").write_text(CONFIG)
    return str(tmp_path / "config.toml")


def pegel(config: str, *words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["explain", config, *words], input=text)


def test_a_record_is_shown_step_by_step(config: str) -> None:
    result = pegel(config, "--record", RECORD)
    assert (result.exit_code, result.stdout) == (0, SHOWN)


def test_standard_input_and_files_are_the_same(config: str, tmp_path: Path) -> None:
    """Plain and packed, whole and by line."""
    assert pegel(config, text=f"{RECORD}\n").stdout == SHOWN
    log = tmp_path / "shop.log"
    log.write_text(f"rubbish\n{RECORD}\n")
    assert pegel(config, "--file", str(log), "--line", "2").stdout == SHOWN
    packed = tmp_path / "shop.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert pegel(config, "--file", str(packed), "--line", "2-9").stdout == SHOWN
    assert pegel(config, "--file", str(packed)).stdout.startswith("record 1\n  refused as malformed: the template fits")


def test_private_values_are_shown_only_when_asked_for(config: str) -> None:
    """What a terminal shows ends up in a ticket."""
    for words in ([], ["--json"]):
        result = pegel(config, "--record", RECORD, *words)
        assert CANARY not in result.stdout + result.stderr
        assert CANARY in pegel(config, "--record", RECORD, "--private", *words).stdout
        assert CANARY not in pegel(config, "--record", f"{CANARY} is no record", *words).stdout


def test_machines_get_json(config: str) -> None:
    facts = json.loads(pegel(config, "--record", RECORD, "--json").stdout)
    (record,) = facts["records"]
    assert record["time"] == "2026-03-03T12:00:01Z"
    assert record["steps"][1] == {
        "name": "enricher 1 (sql)",
        "dropped": False,
        "columns": [{"name": "page", "type": "VARCHAR", "value": "/cart", "private": False, "former": "/CART"}],
    }
    assert record["metrics"][0]["values"] == {"total": 1, "users": 1}
    assert record["metrics"][1] == {"metric": "errors", "counted": False, "why": "status >= 500 is false"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--record", "x", "--file", "y"], "--record and --file are two inputs"),
        (["--line", "1"], "--line needs --file"),
        (["--file", "nowhere.log"], "nowhere.log cannot be read"),
        (["--file", "config.toml", "--line", "999"], "has no line 999"),
        (["--file", "config.toml", "--line", "3-1"], '"3-1" is no line'),
        (["--file", "config.toml", "--line", "first"], '"first" is no line'),
        (["--record", "x", "--source", "shpo"], "there is no source shpo; there are: shop"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    config: str, words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(config).parent)
    result = pegel(config, *words)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.replace("│", " ").split())


def test_nothing_in_is_said(config: str) -> None:
    assert pegel(config, text="").stdout == "there is no record in the input\n"


def test_a_terminal_gets_colours_and_the_same_words(config: str) -> None:
    plan = load(config)
    found = explain(plan, plan.sources[0], f"{RECORD}\n".encode(), 1_772_600_000 * 10**6)
    plain, coloured = (list(lines(found, Terminal(colour=colour), private=False)) for colour in (False, True))
    assert "\n".join(plain) + "\n" == SHOWN
    assert "\x1b[" in "".join(coloured)
