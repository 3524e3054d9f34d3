"""Documents that cannot lie: generated ones are fresh, every block of TOML is accepted, every command exists."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from pegel.config import load

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SAMPLES = ROOT / "runner" / "pegel" / "presets" / "samples"
PROVIDERS = SAMPLES / "ookla" / "asn.tsv"
KEYS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "secret"}
PLACES = SAMPLES / "cdn77" / "city.mmdb"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (f"{page.relative_to(ROOT)}:{page.read_text()[: match.start()].count(chr(10)) + 1}", match[2])
        for page in PAGES
        for match in BLOCK.finditer(page.read_text())
        if match[1] == language
    ]


def generator(name: str) -> ModuleType:
    """A script that writes pages."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_components_say() -> None:
    """`python docs/reference.py` makes it."""
    module = generator("reference")
    assert module.TARGET.read_text() == module.page()


def test_the_pages_of_the_commands_are_what_the_commands_say() -> None:
    """`python docs/commands.py` makes them."""
    module = generator("commands")
    assert module.PAGE.read_text() == module.page()
    assert module.MANUAL.read_text() == module.manual_page()


@pytest.mark.parametrize(("place", "text"), [pytest.param(*block, id=block[0]) for block in blocks("toml")])
def test_every_toml_block_is_accepted(place: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fragment is completed with what it leaves out; a whole file is loaded as it stands."""
    del place
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.toml"
    (tmp_path / "customers.csv").write_text("id,plan,billing_country\n")
    (tmp_path / "influx_token").write_text("t")
    for name in ("ca.pem", "this.pem", "this.key"):
        (tmp_path / name).touch()
    config.write_text(on_this_machine(completed(text)))
    environ = {"INFLUX_URL": "http://127.0.0.1:8086", "INFLUX_TOKEN": "t", "HOSTNAME": "here", **KEYS}
    environ |= {"S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret"}
    load(config, environ={**environ, "CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize(("place", "text"), [pytest.param(*block, id=block[0]) for block in blocks("toml")])
def test_every_toml_block_is_good_in_an_editor(place: str, text: str) -> None:
    """What the documents teach must not be underlined in red by the schema that they recommend."""
    from jsonschema import Draft202012Validator

    from pegel.config.schema import schema

    del place
    assert [error.message for error in Draft202012Validator(schema()).iter_errors(tomllib.loads(text))] == []


def on_this_machine(text: str) -> str:
    """The text with files that exist here in the place of those that documents name."""
    text = text.replace("/etc/pegel/customers.csv", "customers.csv").replace("/etc/pegel/tls/", "")
    text = re.sub(r"/var/lib/pegel/[^\"]*City[^\"]*", str(PLACES), text)
    return re.sub(r"/var/lib/pegel/[^\"]*(?:asn|ASN)[^\"]*", str(PROVIDERS), text)


def completed(text: str) -> str:
    """A fragment with a source to read from, where it has none of its own."""
    parsed = tomllib.loads(text)
    for entry in [*parsed.get("enrichers", []), *parsed.get("metrics", [])]:
        names = entry.get("from", [])
        for name in [names] if isinstance(names, str) else names:
            if name not in [source.get("name") for source in parsed.get("sources", [])]:
                text += SOURCE.format(name=name)
                parsed = tomllib.loads(text)
    if not parsed.get("sources"):
        text += SOURCE.format(name="filler")
    return text


SOURCE = """
[[sources]]
name = "{name}"
type = "file"
path = "access.log"
format.template = '''{{client}} {{method}} {{path}} {{page}} {{country}} {{customer}} {{status:int}} {{bytes:int}} \
{{token}} {{time}} "{{request}}" "{{user_agent}}"'''
time = {{ column = "time", format = "iso8601" }}
labels = {{ server = "here" }}
"""


@pytest.mark.parametrize(("place", "text"), [pytest.param(*block, id=block[0]) for block in blocks("sh")])
def test_every_command_exists(place: str, text: str) -> None:
    """The words after `pegel` and `./dev` are words that these understand."""
    from pegel.cli import COMMANDS

    del place
    known = {"pegel": set(COMMANDS), "./dev": set(re.findall(r"^(\w+)\)$", (ROOT / "dev").read_text(), re.MULTILINE))}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        for program, commands in known.items():
            name = next((word for word in words if word.endswith(program) or word == program), None)
            if name is not None and words.index(name) + 1 < len(words):
                following = words[words.index(name) + 1]
                assert following in commands or following.startswith("-"), line
