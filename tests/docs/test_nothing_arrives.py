"""The example of `pegel doctor` in docs/operating.md is what it says in such a case."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from doubles import FakeClock, settle
from pegel.cli.doctor_looks import Machine, looks
from pegel.cli.doctor_ports import Ports
from pegel.cli.doctor_screen import lines
from pegel.cli.listeners import Taken
from pegel.cli.terminal import Terminal
from pegel.config import check
from pegel.listening import Address
from pegel.pipeline import Runner
from pegel.state.bulletin import Bulletin

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
NOON = 1_772_539_200.0

CONFIG = """
[runner]
state = "{place}/state"

[[sources]]
name = "shop"
type = "file"
path = "{place}/access.log"
format = {{ template = '{{time}} {{page}} {{status:int}}' }}
time = {{ column = "time", format = "iso8601" }}

[[metrics]]
name = "shop_requests"
every = "1m"
labels = ["page"]
values.total = "count(*)"

[[sinks]]
type = "prometheus"
listen = "127.0.0.1:9464"
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(place=tmp_path))
    config.chmod(0o600)
    return config


@pytest.fixture
def runner(config: Path, clock: FakeClock) -> Iterator[Runner]:
    """One that has read a log whose application was updated three hours ago."""
    plan = check(config).plan
    assert plan is not None
    runner = Runner(plan, clock=clock)
    runner.open()
    Bulletin(runner.state.directory, clock).begin("service")
    for updated in (False, True):
        write(config.with_name("access.log"), clock, updated=updated)
        clock.now += 8
        settle(runner)
        clock.now += 3 * 3600
    clock.now -= 3 * 3600
    yield runner
    runner.close()


def write(log: Path, clock: FakeClock, *, updated: bool) -> None:
    """Two minutes of records; since the update with a word in the place of the number."""
    times = (datetime.fromtimestamp(clock.now - age, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for age in range(120, 0, -1))
    with log.open("a") as file:
        file.writelines(f"{moment} /cart OK\n" if updated else f"{moment} /cart 200\n" for moment in times)
    os.utime(log, (clock.now, clock.now))


def test_the_example_is_what_the_command_says(config: Path, runner: Runner, clock: FakeClock) -> None:
    assert runner.holding is False
    taken = OSError(98, "in use")

    def refusal(_address: Address) -> OSError:
        return taken

    page = {"127.0.0.1:9464/metrics": clock.now - 9}
    machine = Machine(clock=clock, ports=Ports(refusal, lambda _port: Taken(), lambda _endpoint: page))
    found = [one for one in looks(config, check(config), machine) if one.part.startswith(("source", "port", "flow"))]
    said = list(lines(found, Terminal()))[:-2]
    assert "\n".join(said).replace(str(config.parent), "/var/log/shop") == example()


def example() -> str:
    """The block of the page, without its command and its verdict."""
    match = re.search(r"^```text\n\$ pegel doctor[^\n]*\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert match is not None
    return match[1].strip()
