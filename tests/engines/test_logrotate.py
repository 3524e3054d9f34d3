"""The real logrotate under a live writer and a live `pegel run`: InfluxDB has what the writer's ledger says."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.influxdb import Bucket
from engines.job import differences
from engines.rotating import DELAYS, METHODS, Story


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("method", METHODS)
def test_every_record_is_counted_once_however_logrotate_rotates(
    method: str, delay: str, logrotate: Path, tmp_path: Path, bucket: Bucket
) -> None:
    told = Story(logrotate, method, delay, looks=20).run(tmp_path, bucket)
    assert told.said == ""
    assert told.rotations > 5
    assert differences(bucket.points(), told.expected) == []
