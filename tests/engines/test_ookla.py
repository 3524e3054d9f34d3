"""From the log of a speed-test server to InfluxDB and back: Flux over the result is what the oracle counted."""

from __future__ import annotations

from pathlib import Path

from engines.influxdb import Bucket
from engines.job import Job, differences, ookla
from presets import ookla_oracle as oracle
from presets.ookla_run import keyed

GOLDEN = keyed(oracle.GOLDEN.read_text(encoding="utf-8"))


def test_the_shipped_sample_gives_the_golden_points_in_influxdb(tmp_path: Path, bucket: Bucket) -> None:
    """The real command, as cron runs it; field types included."""
    job = Job(tmp_path, bucket, ookla(oracle.SAMPLE))
    assert job.run("--once", "--close") == ""
    assert differences(bucket.points(), GOLDEN) == []


def test_a_second_run_changes_nothing(tmp_path: Path, bucket: Bucket) -> None:
    job = Job(tmp_path, bucket, ookla(oracle.SAMPLE))
    for _ in range(2):
        assert job.run("--once", "--close") == ""
    assert differences(bucket.points(), GOLDEN) == []
