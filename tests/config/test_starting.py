from __future__ import annotations

import pytest

from config.conftest import Folder
from pegel.config.presets import names
from pegel.config.starting import starter


@pytest.mark.parametrize("preset", [None, *names()])
def test_a_new_configuration_is_right_as_it_is(folder: Folder, preset: str | None) -> None:
    """The first thing that a person sees must not be an error."""
    assert folder.problems(starter("config.toml", preset)) == []


@pytest.mark.parametrize("preset", names())
def test_what_is_in_comments_is_right_too(folder: Folder, preset: str) -> None:
    """Taking the # away is how people change a setting."""
    text = starter("config.toml", preset)
    lines = [
        line.removeprefix("# ") if " = " in line or line in ("# ]", "#   ]") else line for line in text.splitlines()
    ]
    source = "\n".join(lines).split("# Points are kept")[0].replace('# state = "', 'state = "')
    assert folder.problems(source) == []
