from __future__ import annotations

import pytest
import tomli

from config.conftest import METRIC, SOURCE, Folder
from pegel.config import load
from pegel.config.presets import names
from pegel.config.showing import spell_out
from pegel.errors import ConfigError

SINK = """
[[sinks]]
name = "wire"
type = "config.parts:Wire"
url = "https://me:hunter2@example.org"
token = "hunter2"
login = { user = "me", password = "${PASSWORD}" }
headers = { "X-Scope" = "a" }
"""


def test_what_is_shown_loads_to_the_same_plan(folder: Folder) -> None:
    """It is meant to be copied from, and to replace the file when the preset no longer fits."""
    text = "[runner]\nprefix = 'a_'\n" + SOURCE + METRIC
    folder.write(METRIC.replace("shop_requests", "other"), "conf.d/more.toml")
    plan = load(folder.write(text), folder.environ)
    shown = spell_out(folder.path / "config.toml", folder.environ)
    assert load(folder.write(shown, "elsewhere/shown.toml"), folder.environ) == plan


@pytest.mark.parametrize("preset", names())
def test_a_preset_spelled_out_loads_to_the_same_plan(folder: Folder, preset: str) -> None:
    plan = load(folder.write(f'[[sources]]\nname = "a"\npreset = "{preset}"\n'), folder.environ)
    shown = spell_out(folder.path / "config.toml", folder.environ)
    assert "preset =" not in shown
    assert load(folder.write(shown, "elsewhere/shown.toml"), folder.environ) == plan


def test_no_secret_is_shown(folder: Folder) -> None:
    """People paste this output into tickets."""
    environ = {**folder.environ, "PASSWORD": "canary"}
    shown = spell_out(folder.write(SOURCE + METRIC + SINK), environ)
    assert "hunter2" not in shown
    assert "canary" not in shown
    (sink,) = tomli.loads(shown)["sinks"]
    assert sink["token"] == "***"
    assert sink["url"] == "https://me:***@example.org"
    assert sink["login"]["password"] == "${PASSWORD}"


def test_a_wrong_configuration_is_not_shown_but_refused(folder: Folder) -> None:
    with pytest.raises(ConfigError):
        spell_out(folder.write("[oops]"), folder.environ)
