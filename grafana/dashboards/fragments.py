"""Flux that several boards share: where points come from, and the names of providers."""

from __future__ import annotations

IN_RANGE = "start: v.timeRangeStart, stop: v.timeRangeStop"
SERVERS = "r.server =~ /^${server:regex}$/"
"""Of the variable `server`: one, several, or `.*`."""


def points(measurement: str, field: str, *conditions: str, within: str = IN_RANGE) -> str:
    """The points of one field, from the servers that were chosen."""
    wanted = [f'r._measurement == "{measurement}"', f'r._field == "{field}"', SERVERS, *conditions]
    return f"from(bucket: v.defaultBucket)\n    |> range({within})\n    |> filter(fn: (r) => {' and '.join(wanted)})"


def last(duration: str) -> str:
    """A range that ends where the chosen one does, and is long enough for what it shows; whole days."""
    return f"start: date.truncate(t: date.sub(d: {duration}, from: v.timeRangeStop), unit: 1d), stop: v.timeRangeStop"


# A name is written again once a day, so one day before the range is enough for every provider that was seen in it. One
# entry is always there: without a database of providers the table would be empty, and nothing can be joined to that.
NAMES = """\
names = union(
    tables: [
        from(bucket: v.defaultBucket)
            |> range(start: date.sub(d: 2d, from: v.timeRangeStart), stop: v.timeRangeStop)
            |> filter(fn: (r) => r._measurement == "asn_map" and r._field == "asname")
            |> group(columns: ["asn"])
            |> last()
            |> group()
            |> keep(columns: ["asn", "_value"])
            |> rename(columns: {_value: "asname"}),
        array.from(rows: [{asn: "unknown", asname: "unknown"}]),
    ],
)
    |> group()
named = (tables=<-) =>
    join.left(
        left: tables |> group(),
        right: names,
        on: (l, r) => l.asn == r.asn,
        as: (l, r) => ({l with provider: if exists r.asname then r.asname else "AS " + l.asn}),
    )
"""
NAMES_NEED = """\
import "array"
import "date"
import "join"
"""
"""What `NAMES` imports."""
