"""Compiling a metric: every expression parsed, checked, split and typed; all problems reported at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pegel import sql
from pegel.metrics import kinds, lifting, privacy
from pegel.metrics.aggregates import Argument, Partition
from pegel.metrics.compiled import CompiledMetric
from pegel.metrics.definition import Metric, Value
from pegel.metrics.errors import MetricErrors, Path
from pegel.metrics.expression import Call, split
from pegel.metrics.finish import Final, Finisher, Operand
from pegel.metrics.program import Program
from pegel.metrics.reading import Bounded, Reading
from pegel.metrics.windows import Windows
from pegel.sql import ExpressionError, Node, Parsed
from pegel.table import Columns, quote


@dataclass(frozen=True)
class _Split:
    """One value, parsed and taken apart."""

    name: str
    value: Value
    parsed: Parsed
    calls: list[Call]


@dataclass(frozen=True)
class _Typed:
    """A call whose value can be read."""

    call: Call
    reading: Reading | Bounded
    type: str


class Compiler:
    """One compilation of one metric."""

    def __init__(self, metric: Metric, columns: Columns, private: frozenset[str]) -> None:
        self._metric = metric
        self._columns = columns
        self._private = private
        self._errors: list[tuple[Path, ExpressionError]] = []
        self._used: set[str] = set()
        self._partition = Partition()
        self._operands: list[Operand] = []

    def compile(self) -> CompiledMetric:
        """The compiled metric.

        Raises:
            MetricErrors: Everything that is wrong.
        """
        windows = self._windows()
        self._labels()
        where = self._where()
        # Parts are numbered in the order of the names: a state must find its columns and sets again whatever the order
        # in which a configuration, or a definition that it has stored, says its values.
        finals = {
            name: self._final(split)
            for name, value in sorted(self._metric.values.items())
            if (split := self._split(name, value))
        }
        if self._errors or windows is None:
            raise MetricErrors(self._errors)
        as_written = [finals.get(name) for name in self._metric.values]
        return self._assembled(windows, where, [final for final in as_written if final is not None])

    def _assembled(self, windows: Windows, where: str | None, finals: list[Final]) -> CompiledMetric:
        found = self._partition
        if found.arrivals:
            late = self._metric.allowed_lateness
            windows = Windows(self._metric.every, self._metric.over, self._metric.timezone, late)
        program = Program(
            windows=windows,
            columns={name: kind for name, kind in self._columns.items() if name in self._used},
            where=where,
            labels=tuple(self._metric.labels),
            lifts=tuple(found.lifts),
            scalars=tuple(found.columns),
            sets=tuple(entry.lift for entry in found.sets),
            buckets=tuple(found.buckets),
            rejects=tuple((reason, " or ".join(problems)) for reason, problems in found.rejects.items()),
        )
        return CompiledMetric(
            metric=self._metric,
            scalars=program.parts(),
            sets=[f"set{number}" for number in range(len(found.sets))],
            arrivals=list(found.arrivals),
            buckets=[f"buckets{number}" for number in range(len(found.buckets))],
            needed=frozenset(self._used),
            estimated=frozenset(number for number, entry in enumerate(found.sets) if entry.approximate),
            program=program,
            finisher=Finisher(tuple(finals), tuple(self._operands)),
        )

    def _windows(self) -> Windows | None:
        try:
            return Windows(self._metric.every, self._metric.over, self._metric.timezone)
        except ValueError as error:
            text = str(error)
            field = "every" if "`every` must" in text else "over" if "`over`" in text else "timezone"
            self._errors.append(((field,), ExpressionError(text)))
            return None

    def _labels(self) -> None:
        hidden = {name.lower() for name in self._private}
        for number, name in enumerate(self._metric.labels):
            if name.lower() in hidden:
                self._errors.append((("labels", number), privacy.refused_label(name)))
            elif name not in self._columns:
                self._errors.append((("labels", number), sql.unknown_column(name, self._columns, 0)))
            self._used.add(name)

    def _where(self) -> str | None:
        if self._metric.where is None:
            return None
        try:
            parsed = sql.parse(self._metric.where)
            bound = sql.bind(self._metric.where, self._columns)
        except ExpressionError as error:
            self._errors.append((("where",), error))
            return None
        problems = privacy.check_condition(parsed, self._private) + _not_boolean(bound.type)
        self._errors += [(("where",), problem) for problem in problems]
        self._used |= bound.columns
        return sql.render([parsed.root])[0]

    def _split(self, name: str, value: Value) -> _Split | None:
        path = ("values", name)
        try:
            parsed = sql.parse(value.value)
        except ExpressionError as error:
            self._errors.append((path, error))
            return None
        calls, errors = split(parsed)
        errors += [error for call in calls for error in privacy.check_call(parsed, self._private, call)]
        if not errors:
            errors += kinds.check_kind(value, parsed, calls, self._metric)
        self._errors += [(path, error) for error in errors]
        return None if errors else _Split(name, value, parsed, calls)

    def _final(self, split: _Split) -> Final | None:
        try:
            typed = [self._typed(split.parsed, call) for call in split.calls]
            return self._value(split, typed)
        except ExpressionError as error:
            self._errors.append((("values", split.name), error))
            return None

    def _typed(self, parsed: Parsed, call: Call) -> _Typed:
        nodes = [part for part in (call.argument, call.filter) if part is not None]
        for node in nodes:
            self._used |= sql.used_columns(parsed, self._columns, node)
        nodes = [sql.spelled(node, self._columns) for node in nodes]
        texts = sql.render(nodes)
        types = sql.node_types(parsed, nodes, texts, self._columns) if nodes else []
        if call.filter is not None and (problems := _not_boolean(types[-1])):
            raise replace(problems[0], position=parsed.position(call.filter))
        argument = Argument(
            name=call.name,
            sql=_guarded(nodes[0], texts[0]) if call.argument is not None else "1",
            type=types[0] if call.argument is not None else "INTEGER",
            condition=f"try({texts[-1]})" if call.filter is not None else None,
            constants=call.constants,
        )
        try:
            return _Typed(call, *self._partition.reading(argument))
        except TypeError as error:
            raise ExpressionError(str(error), parsed.position(call.node)) from None

    def _value(self, split: _Split, typed: list[_Typed]) -> Final:
        if len(typed) == 1 and typed[0].call.node is split.parsed.root:
            (only,) = typed
            if isinstance(only.reading, Bounded):
                return Final(split.name, "real", only.reading)
            if split.value.kind != "info" or only.type == "VARCHAR":
                return Final(split.name, self._outside(split, only.type), only.reading)
        operands = {id(one.call.node): self._operand(one) for one in typed}
        root = sql.replace(split.parsed.root, {node: sql.column(name) for node, name in operands.items()})
        (text,) = sql.render([root])
        known = {operand.name: operand.type for operand in self._operands}
        (kind,) = sql.node_types(split.parsed, [root], [text], known)
        return Final(split.name, self._outside(split, kind), None, text)

    def _operand(self, typed: _Typed) -> str:
        assert not isinstance(typed.reading, Bounded)
        for operand in self._operands:
            if (operand.reading, operand.type) == (typed.reading, typed.type):
                return operand.name
        self._operands.append(Operand(f"a{len(self._operands)}", typed.type, typed.reading))
        return self._operands[-1].name

    def _outside(self, split: _Split, kind: str) -> lifting.Suffix:
        outside = lifting.border(kind)
        if outside is None and not (split.value.kind == "info" and "[" not in kind and "(" not in kind):
            raise ExpressionError(f"a value is a number or text, and this is {kind}; cast it")
        if split.value.kind == "info":
            return "text"
        assert outside is not None
        if split.value.kind == "counter" and outside == "text":
            raise ExpressionError("a counter is a number")
        return outside


def _guarded(node: Node, text: str) -> str:
    """SQL that is NULL for a record in which the expression fails, so that one record cannot stop a block."""
    if node["class"] == "COLUMN_REF" and len(node["column_names"]) == 1:
        return quote(node["column_names"][0])
    return text if node["class"] == "CONSTANT" else f"try({text})"


def _not_boolean(kind: str) -> list[ExpressionError]:
    if kind == "BOOLEAN":
        return []
    return [ExpressionError(f"a condition is true or false, and this is {kind}; write a comparison")]
