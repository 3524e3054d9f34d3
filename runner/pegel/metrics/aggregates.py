"""From aggregates to partials: which columns, sets and buckets a call needs, and how its value is read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pegel.metrics import buckets, lifting
from pegel.metrics.lifting import Lift
from pegel.metrics.program import Column
from pegel.metrics.reading import Arrivals, Bounded, Count, Distinct, Mean, Quantile, Reading, Records, Spread, Stored


@dataclass(frozen=True)
class Argument:
    """A call whose parts have become SQL text and types: equal calls are equal.

    Attributes:
        sql: The argument, NULL where it cannot be computed.
        type: Its DuckDB type.
        condition: The filter.
    """

    name: str
    sql: str
    type: str
    condition: str | None
    constants: tuple[float, ...]


@dataclass(frozen=True)
class Set:
    """A distinct set. Sets that may become estimates are kept apart from those that must stay exact."""

    lift: int
    approximate: bool


@dataclass
class Partition:
    """All partials of a metric; whatever is needed twice is there once."""

    lifts: list[str] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    sets: list[Set] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    buckets: list[int] = field(default_factory=list)
    rejects: dict[str, list[str]] = field(default_factory=dict)
    _starts: dict[tuple[str, int], int] = field(default_factory=dict)
    _known: dict[Argument, tuple[Reading | Bounded, str]] = field(default_factory=dict)

    def reading(self, argument: Argument) -> tuple[Reading | Bounded, str]:
        """How the value of an aggregate is read, and its DuckDB type.

        Raises:
            TypeError: The argument has a type that the aggregate cannot take; the message is for the operator.
        """
        if argument not in self._known:
            self._known[argument] = _BUILDERS[argument.name](self, argument)
        return self._known[argument]

    def lift(self, lift: Lift, condition: str | None) -> int:
        """The number of a lifted value."""
        kept = lifting.filtered(lift, condition)
        for reason, problem in (("not_finite", kept.not_finite), ("overflow", kept.overflow)):
            if problem is not None and problem not in self.rejects.setdefault(reason, []):
                self.rejects[reason].append(problem)
        return _numbered(self.lifts, kept.sql)

    def column(self, rule: str, lift: Lift, condition: str | None) -> int:
        """The index of the first state column of a scalar partial."""
        x = self.lift(lift, condition)
        if (rule, x) not in self._starts:
            start = self._starts[rule, x] = sum(len(column.names) for column in self.columns)
            column = Column(rule, x, ())
            names = tuple(f"p{start + offset}_{rule}" for offset in range(len(column.how.types)))
            self.columns.append(Column(rule, x, names))
        return self._starts[rule, x]


def _numbered(found: list[str] | list[int] | list[Set], entry: str | int | Set) -> int:
    if entry not in found:
        found.append(entry)  # type: ignore[arg-type]
    return found.index(entry)  # type: ignore[arg-type]


Built = tuple[Reading | Bounded, str]


def _refuse(argument: Argument, wanted: str) -> TypeError:
    name = "count(distinct)" if argument.name == "count_distinct" else argument.name
    return TypeError(f"{name} needs {wanted}, and this is {argument.type}; cast it")


def _records(partition: Partition, argument: Argument) -> Built:
    if argument.condition is None:
        return Records(), "BIGINT"
    return Count(partition.column("count", Lift("1", "integer"), argument.condition)), "BIGINT"


def _count(partition: Partition, argument: Argument) -> Built:
    is_float = argument.type in ("FLOAT", "DOUBLE")
    lift = lifting.real(argument.sql, argument.type) if is_float else Lift(f"{argument.sql}", "text")
    assert lift is not None
    return Count(partition.column("count", lift, argument.condition)), "BIGINT"


def _number(argument: Argument) -> Lift:
    lift = lifting.exact(argument.sql, argument.type)
    if lift is None or lift.suffix == "text":
        raise _refuse(argument, "a number")
    return lift


def _sum(partition: Partition, argument: Argument) -> Built:
    lift = _number(argument)
    column = partition.column(f"sum_{lift.suffix}", lift, argument.condition)
    return Stored(column, lift.scale), lifting.sum_type(argument.type)


def _avg(partition: Partition, argument: Argument) -> Built:
    lift = _number(argument)
    total = partition.column(f"sum_{lift.suffix}", lift, argument.condition)
    return Mean(total, partition.column("count", lift, argument.condition), lift.scale), "DOUBLE"


def _kept(partition: Partition, argument: Argument) -> Built:
    """`min`, `max`, `first`, `last`: a value of the records themselves."""
    lift = lifting.exact(argument.sql, argument.type)
    if lift is None:
        raise _refuse(argument, "a number or text")
    column = partition.column(f"{argument.name}_{lift.suffix}", lift, argument.condition)
    exact_decimal = argument.type.startswith("DECIMAL") and lift.suffix == "integer"
    kind = f"DECIMAL(38,{lift.scale})" if exact_decimal else argument.type
    return Stored(column, lift.scale), "DOUBLE" if lift.suffix == "real" else kind


def _spread(*, sample: bool, root: bool) -> Callable[[Partition, Argument], Built]:
    def build(partition: Partition, argument: Argument) -> Built:
        lift = lifting.squarable(argument.sql, argument.type)
        if lift is None:
            raise _refuse(argument, "a number")
        return Spread(partition.column("moments", lift, argument.condition), sample, root), "DOUBLE"

    return build


def _distinct(partition: Partition, argument: Argument) -> Built:
    x = partition.lift(lifting.text(argument.sql, argument.type), argument.condition)
    approximate = argument.name == "approx_count_distinct"
    return Distinct(_numbered(partition.sets, Set(x, approximate))), "BIGINT"


def _arrivals(partition: Partition, argument: Argument) -> Built:
    reading, kind = _distinct(partition, argument)
    assert isinstance(reading, Distinct)
    return Arrivals(_numbered(partition.arrivals, reading.index)), kind


def _quantile(partition: Partition, argument: Argument) -> Built:
    lift = lifting.real(argument.sql, argument.type)
    if lift is None:
        raise _refuse(argument, "a number")
    return Quantile(
        _bucketed(partition, lift, buckets.quantile_sql(lift.sql), argument), argument.constants[0]
    ), "DOUBLE"


def _histogram(partition: Partition, argument: Argument) -> Built:
    lift = lifting.real(argument.sql, argument.type)
    if lift is None:
        raise _refuse(argument, "a number")
    total = partition.column("sum_real", lift, argument.condition)
    number = _bucketed(partition, lift, buckets.histogram_sql(lift.sql, argument.constants), argument)
    return Bounded(number, total, argument.constants), "DOUBLE"


def _bucketed(partition: Partition, lift: Lift, bucket: str, argument: Argument) -> int:
    x = partition.lift(Lift(bucket, "integer", 0, lift.not_finite), argument.condition)
    return _numbered(partition.buckets, x)


_BUILDERS: dict[str, Callable[[Partition, Argument], Built]] = {
    "approx_count_distinct": _distinct,
    "arrivals": _arrivals,
    "avg": _avg,
    "count": _count,
    "count_distinct": _distinct,
    "count_star": _records,
    "first": _kept,
    "histogram": _histogram,
    "last": _kept,
    "max": _kept,
    "min": _kept,
    "quantile": _quantile,
    "stddev": _spread(sample=True, root=True),
    "stddev_pop": _spread(sample=False, root=True),
    "stddev_samp": _spread(sample=True, root=True),
    "sum": _sum,
    "var_pop": _spread(sample=False, root=False),
    "var_samp": _spread(sample=True, root=False),
    "variance": _spread(sample=True, root=False),
}
