"""`pegel doctor` between a real runner and a real InfluxDB: what is broken on purpose is what it names."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engines.conftest import program_or_skip
from engines.influxdb import ORG, Bucket
from engines.prometheus import Prometheus
from pegel.cli.doctor_looks import Machine, looks
from pegel.cli.findings import Finding
from pegel.cli.running import Running
from pegel.config import check
from pegel.secret import Secret
from pegel.sinks.influxdb2 import Influxdb2

CONFIG = """
[runner]
state = "{place}/state"

[[sources]]
name = "shop"
type = "file"
path = "{place}/shop.log"
format = {{ template = '{{time}} {{key}} {{status:int}}' }}
time = {{ column = "time", format = "iso8601" }}

[[metrics]]
name = "hits"
every = "1m"
labels = ["key"]
values.n = {{ value = "count(*)", kind = "counter" }}
values.worst = "max(status)"

[[sinks]]
name = "influx"
type = "influxdb2"
url = "{url}"
org = "{org}"
bucket = "{bucket}"
token = "{token}"
"""


@dataclass
class Practice:
    """A runner of cron with one log of the last ten minutes, and one store."""

    place: Path
    bucket: Bucket
    token: str = ""

    def run_with(self, sinks: str) -> None:
        """One run with other sinks."""
        self._log()
        self.write(sinks)
        Running(self.config, threading.Event()).once(close_all=False, patience=5.0)

    def write(self, sinks: str) -> None:
        """A configuration with other sinks."""
        head = CONFIG[: CONFIG.index("[[sinks]]")].format(place=self.place)
        self.config.write_text(head + sinks)

    def _log(self) -> None:
        now = time.time()
        times = (datetime.fromtimestamp(now - age, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for age in range(600, 0, -5))
        (self.place / "shop.log").write_text("".join(f"{moment} a 200\n" for moment in times))

    def run(self, **changes: str) -> None:
        """One run over the log, which gives up at once where it cannot deliver."""
        self._log()
        self.token = self.token or self.bucket.read_and_write.text
        facts = {"place": str(self.place), "url": self.bucket.server.url, "org": ORG, "bucket": self.bucket.name}
        self.config.write_text(CONFIG.format(**{**facts, "token": self.token, **changes}))
        self.config.chmod(0o600)
        Running(self.config, threading.Event()).once(close_all=False, patience=0.0)

    @property
    def config(self) -> Path:
        return self.place / "config.toml"

    def findings(self) -> list[Finding]:
        return list(looks(self.config, check(self.config), Machine()))

    def said(self, part: str) -> list[tuple[str, str]]:
        return [(one.level, one.sentence) for one in self.findings() if one.part == part]


@pytest.fixture
def practice(tmp_path: Path, bucket: Bucket) -> Practice:
    return Practice(tmp_path, bucket)


def test_what_arrives_is_seen_in_the_store(practice: Practice) -> None:
    practice.run()
    [(level, sentence)] = practice.said("flow")
    assert (level, sentence.startswith("1 metric, newest window of "), sentence.endswith("seen in influx")) == (
        "ok",
        True,
        True,
    )


def test_samples_are_seen_in_a_prometheus(practice: Practice, tmp_path: Path) -> None:
    """And missed where the runner has written to another one, of which all figures are well."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    program, config = program_or_skip("prometheus"), "storage: {tsdb: {out_of_order_time_window: 2h}}\n"
    first = Prometheus(program, tmp_path / "a", config)
    second = Prometheus(program, tmp_path / "b", config)
    try:
        practice.run_with(samples(first))
        [(level, sentence)] = practice.said("flow")
        assert (level, sentence.endswith("seen in samples")) == ("ok", True), sentence
        practice.write(samples(second))
        [(level, sentence)] = practice.said("flow")
        assert (level, sentence) == (
            "problem",
            f"nothing new arrives of hits; it stops at sink samples: it took every point, and the store {NONE}",
        )
    finally:
        first.stop()
        second.stop()


NONE = "has none of it in a week"


def samples(server: Prometheus) -> str:
    return f"""
[[sinks]]
name = "samples"
type = "remote_write"
url = "{server.url}/api/v1/write"
out_of_order_window = "2h"
"""


def test_points_that_were_deleted_in_the_store_are_missed(practice: Practice) -> None:
    """Every figure of the runner is well; only the store knows."""
    practice.run()
    span = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
    practice.bucket.server.call("POST", f"/api/v2/delete?org={ORG}&bucket={practice.bucket.name}", span)
    [(level, sentence)] = practice.said("flow")
    assert level == "problem"
    assert sentence == (
        "nothing new arrives of hits; it stops at sink influx: it took every point, and the store has none of it in a"
        " week"
    )


def test_points_that_the_store_refuses_are_told_by_its_reason(practice: Practice) -> None:
    practice.bucket.write(f'hits,key=a worst="a text" {int(time.time()) - 7200}')
    practice.run()
    [(level, sentence)] = practice.said("flow")
    assert level == "problem"
    assert "it stops at sink influx: it refused" in sentence
    assert "field type conflict" in sentence


def test_a_token_that_may_only_write_is_no_problem_and_its_silence_a_note(practice: Practice) -> None:
    """The stack's own token is one of these."""
    practice.token = practice.bucket.write_only.text
    practice.run()
    assert practice.said("flow")[0][0] == "ok"
    assert practice.said("sink influx") == [
        ("ok", "tried: fine"),
        (
            "note",
            f'it cannot be asked what it has stored: the token may not read the bucket "{practice.bucket.name}" (404)',
        ),
    ]


def test_what_is_wrong_with_a_token_is_said(bucket: Bucket) -> None:
    refused = f'the token may not write to the bucket "{bucket.name}" (403: insufficient permissions for write)'
    assert refused in probe(bucket, bucket.read_only.text)
    assert "does not know the token (401)" in probe(bucket, "nonsense")
    token = bucket.write_only
    bucket.server.call("PATCH", f"/api/v2/authorizations/{token.id}", {"status": "inactive"})
    assert "the token is no longer good (403: " in probe(bucket, token.text)


def test_a_wrong_place_is_said_by_its_name(bucket: Bucket) -> None:
    good = bucket.read_and_write.text
    assert 'bucket "no-such" not found' in probe(bucket, good, name="no-such")
    assert 'organization name "no-such" not found' in probe(bucket, good, org="no-such")


def probe(bucket: Bucket, token: str, *, org: str = ORG, name: str | None = None) -> str:
    """What a sink says against a token, or against a place."""
    sink = Influxdb2(url=bucket.server.url, org=org, bucket=name or bucket.name, token=Secret(token))
    [sentence] = sink.probe()
    return sentence


def test_the_newest_points_are_told_whatever_the_types_of_their_fields(bucket: Bucket) -> None:
    """Series of numbers and texts are put together: Flux refuses columns of two types in one table."""
    now = int(time.time())
    rows = [f"a,t=1 n=1i,x=2.5 {now - 90}", f'a,t=2 s="text" {now - 60}', f"b n=1 {now - 8 * 86400}", f"c n=1 {now}"]
    bucket.write("\n".join(rows))
    sink = Influxdb2(url=bucket.server.url, org=ORG, bucket=bucket.name, token=Secret(bucket.read_only.text))
    assert sink.stored(["a", "b", "none"]) == {"a": (now - 60) * 10**6}, "of the last week, and only what was asked for"
