"""Flux that several panels share: where points come from, and the names of providers.

Grafana makes a label out of each column of the group key and a field out of each other one. So the tables of a chart
are grouped by what names their lines and have `_time` and `_value` besides, and a table for reading has no group.
"""

from __future__ import annotations

IN_RANGE = "start: v.timeRangeStart, stop: v.timeRangeStop"
DAY_BEFORE = "start: date.sub(d: 1d, from: v.timeRangeStart), stop: date.sub(d: 1d, from: v.timeRangeStop)"
WHOLE = (
    "start: date.truncate(t: date.sub(d: v.windowPeriod, from: v.timeRangeStart), unit: v.windowPeriod), "
    "stop: date.truncate(t: v.timeRangeStop, unit: v.windowPeriod)"
)
WHOLE_BEFORE = (
    "start: date.truncate(t: date.sub(d: v.windowPeriod, from: date.sub(d: 1d, from: v.timeRangeStart)), "
    "unit: v.windowPeriod), stop: date.truncate(t: date.sub(d: 1d, from: v.timeRangeStop), unit: v.windowPeriod)"
)
"""Whole windows only: the sum of a part, divided by the width of all, would look like a fall at both ends of a chart.

One more than is seen, so that lines come in from the left, and that a range within one window is none without a moment.
"""
DAY = "start: date.truncate(t: date.sub(d: 1s, from: v.timeRangeStop), unit: 1d), stop: v.timeRangeStop"
"""The day on which the chosen range ends; one that ends at midnight ends on the day before, or nothing were left."""

SERVERS = "r.server =~ /^${server:regex}$/"
"""Of the variable `server`: one, several, or `.*`."""


def points(measurement: str, field: str, *conditions: str, within: str = IN_RANGE) -> str:
    """The points of one field (of several: `a|b`), from the servers that were chosen."""
    fields = [f'r._field == "{one}"' for one in field.split("|")]
    either = fields[0] if len(fields) == 1 else f"({' or '.join(fields)})"
    wanted = [f'r._measurement == "{measurement}"', either, SERVERS, *conditions]
    return f"""from(bucket: v.defaultBucket)
    |> range({within})
    |> filter(fn: (r) => {" and ".join(wanted)})"""


def last_days(count: int, stop: str = "v.timeRangeStop") -> str:
    """Whole days up to the end of the chosen range: what a day or a week looks like needs more than some hours."""
    return f"start: date.truncate(t: date.sub(d: {count}d, from: v.timeRangeStop), unit: 1d), stop: {stop}"


LAST_HOUR = "date.truncate(t: v.timeRangeStop, unit: 1h)"
"""Where the newest hour that is over ends."""


def biggest(count: int, *labels: str) -> str:
    """The rows with the greatest values; among equals the labels decide, lest the answer change from look to look."""
    columns = ", ".join(f'"{name}"' for name in ("_value", *labels))
    return f"""group()
    |> sort(columns: [{columns}], desc: true)
    |> limit(n: {count})"""


NAMES_NEED = """import "array"
import "date"
import "join"
"""
"""What `NAMES` imports."""

# A name is written again once a day, so two days before the range are enough for every provider that was seen in it.
# Nothing can be joined to an empty table, nor an empty one to anything; so both sides have an entry that is always
# there: without a database of providers all are unknown, and without tests there is none.
NAMES = """names =
    union(
        tables: [
            from(bucket: v.defaultBucket)
                |> range(start: date.sub(d: 2d, from: v.timeRangeStart), stop: v.timeRangeStop)
                |> filter(fn: (r) => r._measurement == "asn_map" and r._field == "asname")
                |> group(columns: ["asn"])
                |> last()
                |> group()
                |> map(fn: (r) => ({asn: r.asn, asname: r._value})),
            array.from(rows: [{asn: "unknown", asname: "unknown"}]),
        ],
    )
        |> group()
named = (tables=<-, like) =>
    join.left(
        left: union(tables: [tables |> group(), array.from(rows: [like])]),
        right: names,
        on: (l, r) => l.asn == r.asn,
        as: (l, r) => ({l with provider: if exists r.asname then r.asname else "AS " + l.asn}),
    )
        |> filter(fn: (r) => r.asn != "")
"""
"""`named(like)`: adds `provider` to rows with an `asn`; a provider without a name is its number. `like` is a row with
the same columns and no `asn`."""
