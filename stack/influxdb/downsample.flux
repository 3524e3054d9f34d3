// Five minutes instead of one, for the years: every number as FIELD_mean, FIELD_max and FIELD_sum, every text as its
// last. A sum of distinct counts (users) is not a distinct count: read those as mean or max.
//
// Whole windows only, so that running it again changes nothing; far enough back for late and corrected minutes.
import "date"
import "types"

option task = {name: "@NAME@", every: @EVERY@, offset: @OFFSET@}

width = 5m
end = date.truncate(t: now(), unit: width)
begin = date.truncate(t: date.sub(d: @RANGE@, from: end), unit: width)

points = from(bucket: "telemetry") |> range(start: begin, stop: end)
numbers = points |> filter(fn: (r) => types.isNumeric(v: r._value))

reduced = (tables=<-, fn, suffix) =>
    tables
        |> aggregateWindow(every: width, fn: fn, createEmpty: false, timeSrc: "_start")
        |> map(fn: (r) => ({r with _field: r._field + suffix}))
        |> to(bucket: "telemetry_5m")

numbers |> reduced(fn: mean, suffix: "_mean") |> yield(name: "mean")
numbers |> reduced(fn: max, suffix: "_max") |> yield(name: "max")
numbers |> reduced(fn: sum, suffix: "_sum") |> yield(name: "sum")
points
    |> filter(fn: (r) => types.isType(v: r._value, type: "string"))
    |> aggregateWindow(every: width, fn: last, createEmpty: false, timeSrc: "_start")
    |> to(bucket: "telemetry_5m")
    |> yield(name: "last")
