"""`pegel state` shows objects that were put aside, and `pegel state retry` lets a runner read them again."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pegel.cli import app
from pipeline.objects import ObjectHouse, records
from sources.bucket_driving import key
from sources.fake_bucket import NOON

BROKEN = key(12, 1, end=".gz")


@pytest.fixture
def house(tmp_path: Path) -> ObjectHouse:
    house = ObjectHouse(tmp_path)
    packed = gzip.compress(records((5, "k", 1, "u")))
    house.bucket.put(BROKEN, packed, NOON)
    house.bucket.spoil = lambda name, data: data[:-9] if name == BROKEN else data
    house.put(2, records((6, "k", 1, "v")))
    house.clock.now += 100
    return house


def pegel(house: ObjectHouse, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["state", *words, "--state", str(house.directory / "state")])
    assert result.exit_code == code, result.output
    return result.output


def records_of(house: ObjectHouse) -> int:
    line = next(line for line in pegel(house).splitlines() if line.startswith("source   log:"))
    return int(line.split()[2])


def test_what_was_put_aside_is_shown_with_its_reason(house: ObjectHouse) -> None:
    runner = house.runner()
    house.work(runner)
    runner.close()
    assert f"put aside: logs/{BROKEN}: the file ends in the middle of a gzip member" in pegel(house)
    assert "2 finished objects remembered" in pegel(house)


def test_a_running_runner_tries_again(house: ObjectHouse) -> None:
    runner = house.runner()
    house.work(runner)
    assert records_of(house) == 1
    house.bucket.spoil = lambda _name, data: data
    assert pegel(house, "retry") == "log: 1 will be tried again\n"
    house.work(runner)
    assert records_of(house) == 2
    assert pegel(house, "retry") == "nothing was put aside\n"
    runner.close()


def test_the_next_runner_tries_again(house: ObjectHouse) -> None:
    runner = house.runner()
    house.work(runner)
    runner.close()
    house.bucket.spoil = lambda _name, data: data
    pegel(house, "retry", "--source", "log")
    runner = house.runner()
    house.work(runner)
    runner.close()
    assert records_of(house) == 2


def test_a_source_that_is_not_there_is_an_error(house: ObjectHouse) -> None:
    house.runner().close()
    assert "there is no source lgo" in pegel(house, "retry", "--source", "lgo", code=2)
