"""Event time: microseconds since 1970, whatever the record says and however wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pegel import eventtime
from pegel.table import Batch, Engine, literal

NOON = 1_772_539_200 * 10**6
OOKLA = ["%d/%b/%Y:%H:%M:%S GMT", "%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S"]


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    engine = Engine()
    with engine.batch() as batch:
        yield batch
    engine.close()


def times(batch: Batch, kind: str, formats: list[str], *values: str) -> list[int | None]:
    rows = ", ".join(f"({number}, {value})" for number, value in enumerate(values))
    sql = f"select {eventtime.expression('t', kind, formats)} from (values {rows}) v(n, t) order by n"
    return [row[0] for row in batch.query(sql)]


def test_an_offset_of_one_record_never_reaches_the_next(batch: Batch) -> None:
    """One call with a list of formats did that."""
    values = [literal(f"03/Mar/2026:12:00:00{zone}") for zone in (" GMT", " +0100", "", " -0230", " GMT", "")]
    hours = [0, -1, 0, 2.5, 0, 0]
    assert times(batch, "VARCHAR", OOKLA, *values) == [NOON + int(hour * 3600 * 10**6) for hour in hours]


def test_what_is_no_time_is_null(batch: Batch) -> None:
    values = [literal(text) for text in ("", "x", "99/Mar/2026:12:00:00 GMT", "03/Mar/2026")]
    assert times(batch, "VARCHAR", OOKLA, *values) == [None] * 4


def test_iso_times_keep_their_offset(batch: Batch) -> None:
    values = [literal(text) for text in ("2026-03-03T12:00:00Z", "2026-03-03T14:00:00+02:00", "2026-03-03 12:00:00.25")]
    assert times(batch, "VARCHAR", ["iso8601"], *values) == [NOON, NOON, NOON + 250_000]


@pytest.mark.parametrize(
    ("form", "value"), [("unix", "1772539200"), ("unix_ms", "1772539200000"), ("unix_us", str(NOON))]
)
def test_numbers_of_seconds(batch: Batch, form: str, value: str) -> None:
    assert times(batch, "BIGINT", [form], value) == [NOON]
    assert times(batch, "VARCHAR", [form], literal(value), literal("x"), literal("nan")) == [NOON, None, None]


def test_formats_are_checked_before_anything_runs(batch: Batch) -> None:
    assert eventtime.check(batch, OOKLA) is None
    assert "strptime" in str(eventtime.check(batch, ["rfc1123"]))
    assert "not a time format" in str(eventtime.check(batch, ["%Q"]))
    assert eventtime.check(batch, []) is not None
