"""An hour of a dirty log with archives of the real size: every one of thousands of points is that of the oracle."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from pegel.samples.ookla_log import PROFILES, records
from presets import ookla_oracle as oracle
from presets.ookla_run import Run, keyed
from presets.test_ookla import START, differences, log_in


def test_150_000_dirty_records_give_every_point_of_the_oracle(tmp_path: Path) -> None:
    """Blocks of many megabytes take other roads than small ones: grouped folds, big sets, a backlog."""
    directory = tmp_path / "log"
    with log_in(directory, 10 * 2**20) as file:
        for moment, record in islice(records(71, START, PROFILES["dirty"].at_rate(40.0)), 150_000):
            file.write(moment, record)
    run = Run(tmp_path, directory)
    run.once(close=True)
    counted = oracle.count(oracle.read_log(directory))
    assert differences(run.points(), keyed(oracle.ndjson(oracle.points(counted, "st-01")))) == []
    assert {reason: run.rejects().get(reason, 0) for reason in counted.rejects} == counted.rejects
    assert counted.records + counted.rejects["malformed"] > 149_000
