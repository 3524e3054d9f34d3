"""The real command, alive, killed, refused and broken: nothing that was planted in the log is anywhere afterwards."""

from __future__ import annotations

import base64
import ipaddress
import os
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from enrichers.whois_server import FakeWhois, routes
from pegel.cli import app
from pegel.state.report import report
from presets import canaries
from presets import ookla_oracle as oracle
from presets.canaries import everything_in, leaks
from sinks.influx_server import TOKEN, FakeInflux, Handler

TESTS = Path(__file__).parents[1]

CONFIG = """
[runner]
state = "{directory}/state"
commit_interval = "50ms"
log_level = "debug"

[[sources]]
name = "ookla"
preset = "ookla"
path = "{log}/ooklaserver-access.log"
labels.server = "st-01"
flush_timeout = "100ms"
idle_after = "1s"
enrichers.asn.files = ["{directory}/asn.tsv"]
enrichers.asn.whois = {{ server = "127.0.0.1", port = {port}, wait = "5s" }}

[[sinks]]
name = "influx"
type = "influxdb2"
url = "{url}"
org = "example"
bucket = "telemetry"
token = "{token}"
metrics = ["*", "pegel_*"]

[[sinks]]
type = "file"
path = "{directory}/points.ndjson"

[[sinks]]
type = "local"
"""

LEAK = """
[[enrichers]]
type = "presets.leaky:Leaky"
column = "{column}"
"""


@dataclass
class Scene:
    """A log with canaries, the servers around a runner, and all that can be seen of it."""

    directory: Path
    influx: FakeInflux
    whois: FakeWhois
    refused: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.log = self.directory / "log"
        self.place = self.directory / "place"
        for one in (self.log, self.place):
            one.mkdir()
        (self.log / oracle.LIVE).write_bytes(canaries.log())
        (self.place / "asn.tsv").write_bytes(oracle.PROVIDERS.read_bytes())
        self.configure()

    @property
    def config(self) -> Path:
        return self.place / "config.toml"

    def configure(self, more: str = "") -> None:
        text = CONFIG.format(directory=self.place, log=self.log, port=self.whois.port, url=self.influx.url, token=TOKEN)
        self.config.touch(0o600)
        self.config.write_text(text + more)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`pegel run`; what it says goes into a file."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{TESTS.parent / 'runner'}:{TESTS}"}
        with (self.place / "said.txt").open("ab") as said:
            command = [sys.executable, "-m", "pegel", "run", str(self.config), *arguments]
            return subprocess.Popen(command, stdout=said, stderr=said, env=environment, cwd=self.place)

    def refuse(self, handler: Handler) -> None:
        """The InfluxDB is there and does not want."""
        handler.reply(503, {"code": "unavailable", "message": "later"})
        self.refused.set()

    def seen(self) -> Iterator[tuple[str, bytes]]:
        """Everything outside of the process but the log itself."""
        yield from everything_in(self.place)
        for request in list(self.influx.requests):
            yield "request", request.body
            yield "request head", f"{request.target} {request.headers}".encode()
        yield from (("whois", query) for query in self.whois.raw)

    def told(self, *words: str) -> tuple[str, bytes]:
        """What a command prints."""
        result = CliRunner().invoke(app, [*words])
        return " ".join(words[:1]), (result.stdout + result.stderr + repr(result.exception)).encode()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    answers = routes((f"{base}/{'48' if ':' in base else '16'}", "64999", "WHOIS-NET") for base in nets())
    with FakeInflux() as influx, FakeWhois(answers) as whois:
        yield Scene(tmp_path, influx, whois)


def nets() -> list[str]:
    return ["81.2.0.0", "93.184.0.0", "2a02:1234:5678::"]


def test_nothing_planted_leaves_the_process_in_any_life(scene: Scene) -> None:
    """Outage, SIGKILL, recovery, dead letters, look-ups by whois, at the level `debug`."""
    scene.influx.faults = [scene.refuse] * 1000
    process = scene.start()
    assert scene.refused.wait(30)
    assert scene.whois.asked.wait(30)
    process.kill()
    process.wait(10)
    assert leaks(scene.seen()) == []
    assert {path.name for path in (scene.place / "state").iterdir()} >= {"state.db", "state.db-wal"}

    scene.influx.faults = []
    scene.influx.types["ookla_speedtest_asn_minutely", "tests"] = float  # so that integers are refused for good
    with (scene.log / oracle.LIVE).open("ab") as log:
        log.write(b"\n" + canaries.log())
    assert scene.start("--once", "--close").wait(60) == 1, "some points were refused for good"
    assert leaks(scene.seen()) == []
    assert_that_all_of_it_happened(scene)

    state, config = str(scene.place / "state"), str(scene.config)
    spoken = [scene.told("state", "--json", config), scene.told("state", config), scene.told("status", config)]
    spoken += [scene.told("status", "--json", config), scene.told("sinks", "list", "--json", config)]
    spoken += [scene.told("points", "--state", state), scene.told("preview", config), scene.told("show", config)]
    spoken += [scene.told("check", "--connect", config), scene.told("plan", config)]
    assert leaks(spoken) == []
    assert all(len(text) > 30 for _, text in spoken)


def assert_that_all_of_it_happened(scene: Scene) -> None:
    """A life in which nothing went wrong would prove little."""
    stored = {series for series, _ in scene.influx.stored}
    assert ("asn_map", (("asn", "64999"),)) in stored
    assert {"ookla_speedtest_minutely", "pegel_source"} <= {measurement for measurement, _ in stored}
    assert {address for query in scene.whois.queries for address in query} == set(canaries.PUBLIC_BASES)
    facts = report(scene.place / "state")
    rejected = {one["labels"]["reason"] for one in facts["counters"] if one["name"] == "rejects_total"}
    assert {"malformed", "foreign", "bad_time", "future"} <= rejected
    with sqlite3.connect(f"file:{scene.place / 'state' / 'state.db'}?mode=ro", uri=True) as database:
        (letters,) = database.execute("select count(*) from letters").fetchone()
    database.close()
    assert letters > 0


def test_a_database_that_is_none_is_refused_without_a_word_of_the_log(scene: Scene) -> None:
    (scene.place / "asn.tsv").write_text("<html>quota</html>")
    assert scene.start("--once").wait(30) == 2
    assert leaks(scene.seen()) == []
    assert "web page" in (scene.place / "said.txt").read_text()


@pytest.mark.parametrize(("column", "what"), [("ip", "2001:db8:4f3a:11::7e5d"), ("device_id", "device")])
def test_a_component_that_tells_is_found_out(scene: Scene, column: str, what: str) -> None:
    """The search sees what the command really does: the same with a leak in it fails."""
    scene.configure(LEAK.format(column=column))
    assert scene.start("--once", "--close").wait(60) == 0
    assert what in {leak.what for leak in leaks(scene.seen())}


ADDRESS = canaries.ADDRESSES[4]

HIDDEN = {
    "clear": ADDRESS.encode(),
    "inside base64": base64.b64encode(b'{"ip":"' + ADDRESS.encode() + b'"}'),
    "inside base64url": base64.urlsafe_b64encode(b'{"an":"' + ADDRESS.encode() + b'"}'),
    "hex": ADDRESS.encode().hex().encode(),
    "packed": bytes.fromhex("20010db84f3a00110000000000007e5d"),
    "number": b'{"ip": %d}' % int(ipaddress.ip_address(ADDRESS)),
    "escaped": ADDRESS.replace(":", "\\u003a").encode(),
    "two addresses packed": b"....".join(bytes(map(int, one.split("."))) for one in canaries.ADDRESSES[:2]),
}


@pytest.mark.parametrize("how", HIDDEN)
def test_the_search_finds_each_form(tmp_path: Path, how: str) -> None:
    """In a file, and compressed in a database."""
    assert leaks([("here", b"\x00 " + HIDDEN[how] + b" \xff")])
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("create table cells (text blob)")
        database.execute("insert into cells values (?)", [zlib.compress(b"offset 12 " + HIDDEN[how])])
    database.close()
    assert {leak.where for leak in leaks(everything_in(tmp_path))} == {"state.db:cells"}


def test_random_bytes_are_no_leak() -> None:
    """Four bytes are somewhere in every big file, now and then."""
    assert leaks([("random", bytes(map(int, canaries.ADDRESSES[0].split("."))))]) == []
