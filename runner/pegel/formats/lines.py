"""Lines of text, described by a template or a regular expression; a record may span several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from pegel.arrow import Frame, Offsets, slices
from pegel.formats import REJECT, ROW, End, Format, Frames
from pegel.formats.assembly import Assembled, completed_by_last, last_record, until_complete, until_next
from pegel.formats.framing import Cut, Judge, clean, cut, in_order
from pegel.formats.opener import Opener, opener
from pegel.formats.plain import Matched, Matcher
from pegel.formats.records import Marks, Mask, Records
from pegel.formats.regex import AT_ONCE, Expression
from pegel.formats.template import Span, Template
from pegel.table import Batch, Columns, Table, literal, quote
from pegel.units import Size

_ORPHAN = "orphan"
"""Mark: a line that opens no record is a fragment of one that was given up."""
_WHOLE = "_whole"
"""The whole match, where groups are extracted."""


@dataclass(frozen=True, kw_only=True)
class Complete:
    """What makes a record complete, beyond that the template fits.

    Options:
        column: Field of the template.
        starts: A record whose field starts with this text is complete
        ends: only if the field ends with this text.
    """

    column: str
    starts: str = ""
    ends: str


@dataclass(frozen=True)
class _Block:
    records: Records
    marks: Marks | None
    matched: Matched | None = None
    """Set where framing had to match the records already."""


@dataclass(kw_only=True)
class Lines(Format):
    """Read a log of lines; each is a record, or a part of one that `record_start` opens.

    The fields come from a `template`, which is a line with names in place of its parts, or from the named
    groups of a `pattern`. Prefer the template: it is several times faster. A field of any text, `{name}`,
    ends at the first place where all that follows fits: the literal text behind it and the typed fields
    (`{n:int}`, `{x:float}`, `{id:hex}`, `{id:hex(40)}`) up to the next field of any text; the last one goes
    as far as the line allows, so quotes in a user agent are data. `{}` takes text without a column, `{{`
    and `}}` are braces. An integer has at most 18 digits (19 below 9 * 10^18); what does not fit the
    template or the pattern is the reject `malformed`.

    Lines end at a newline only; a carriage return before it is dropped. Invalid UTF-8 is replaced, NUL bytes
    are left out (`nul_hole`), lines over `max_record` are skipped (`too_long`), blank lines are nothing.
    With `record_start`, a line that neither opens nor continues a record is `foreign`, or an
    `orphan_fragment` where it follows a record that was given up: one whose end did not come in time (the
    stream fell silent), that grew over `max_record` (or over 64 lines, where it is to be completed), or that
    was cut by a hole.

    Options:
        template: How a record looks. Exactly one of `template` and `pattern`.
        pattern: Regular expression (RE2) with named groups; found anywhere in the record unless it says `^`
            or `$`. All its columns are text.
        record_start: Regular expression (RE2) that is found in the first line of each record and in no other.
        until: With `record_start`: a record ends before the `next` first line, or as soon as it is
            `complete`: the template fits, and all rules of `complete` hold.
        complete: Rules `{ column, starts, ends }`: a record whose column starts with `starts` is complete only
            if it also ends with `ends`.
        join: What stands in place of a line break within a record. With `until = "complete"` several may be
            given: for each line the first that makes the record complete is taken; while none does, the first.
        max_record: Longest line, and longest record with all its lines, in bytes.
        null: Text of a field that stands for no value; typed fields accept it too.

    Example:
        [[sources]]
        name = "shop"
        type = "file"
        path = "/var/log/nginx/shop.log"
        format = { type = "lines", template = '{client} - {user} [{time}] "{request}" {status:int} {bytes:int}' }
        time = { column = "time", format = "%d/%b/%Y:%H:%M:%S %z" }
    """

    template: str | None = None
    pattern: str | None = None
    record_start: str | None = None
    until: Literal["next", "complete"] = "next"
    complete: Sequence[Complete] = ()
    join: Sequence[str] = ("\n",)
    max_record: Size = Size(64 * 2**10)
    null: str | None = None

    def __post_init__(self) -> None:
        if (self.template is None) == (self.pattern is None):
            raise ValueError("give either `template` or `pattern`")
        self._check_until()
        self._shape: _Template | _Pattern
        if self.template is not None:
            self._shape = _Template(Template(self.template, self.null), self.complete)
        else:
            self._shape = _Pattern(Expression(self.pattern or ""), self.null)
        self._opener: Opener | None = None if self.record_start is None else opener(self.record_start)
        self._join = [join.encode() for join in self.join]

    def _check_until(self) -> None:
        if self.until == "complete" and (self.template is None or self.record_start is None):
            raise ValueError('`until = "complete"` needs `template` and `record_start`')
        if self.complete and self.until != "complete":
            raise ValueError('`complete` needs `until = "complete"`')
        if not self.join or (len(self.join) > 1 and self.until != "complete"):
            raise ValueError('`join` has one text, or several with `until = "complete"`')
        if not 0 < self.max_record <= 2**24:
            raise ValueError("`max_record` is between 1B and 16MiB")

    def columns(self) -> Columns:
        return self._shape.columns

    def split(self, data: bytes, end: End, mark: str = "", seams: Sequence[int] = ()) -> Frames:
        words = set(mark.split())
        orphan = _ORPHAN in words
        words.discard(_ORPHAN)
        piece = cut(data, end, " ".join(words), seams, self.max_record, self._judge, self._shape.anchors)
        if self._opener is None:
            block = _Block(piece.lines, piece.marks)
            return Frames(block, len(piece.lines), piece.tail, piece.mark, in_order(piece.rejects))
        return self._assemble(piece, self._opener.mask(piece.lines), end, orphan=orphan)

    def _assemble(self, piece: Cut, opens: Mask, end: End, *, orphan: bool) -> Frames:
        if self.until == "next":
            done = until_next(piece, opens, self._join, end, self.max_record, orphan=orphan)
            block = _Block(done.records, done.marks)
        else:
            shape = self._shape
            assert isinstance(shape, _Template)
            matched = shape.matcher.match(piece.lines, piece.marks)
            good = opens & shape.good(piece.lines, matched)
            done = until_complete(piece, opens, good, shape.whole, self._join, end, self.max_record, orphan=orphan)
            block = _Block(done.records, None, shape.rematch(done, matched))
        kept = done.tail == piece.tail
        words = [piece.mark if kept else "", _ORPHAN if done.orphan else ""]
        rejects = in_order([*(reject for reject in piece.rejects if reject.offset < done.tail or kept), *done.rejects])
        return Frames(block, len(done.records), done.tail, " ".join(filter(None, words)), rejects)

    @cached_property
    def _judge(self) -> Judge:
        if self._opener is None:
            return Judge(self._shape.whole, lambda lines: self._shape.whole(lines[-1][1]))
        return Judge(self._opener.test, self._ends_record)

    def _ends_record(self, lines: Sequence[tuple[int, bytes]]) -> bool:
        """Is the record that is open before the last line whole with it?"""
        assert self._opener is not None
        record = last_record(lines, self._opener.test, self.max_record)
        if self.until == "next":
            return bool(record) and self._shape.whole(self._join[0].join(record))
        return bool(record) and completed_by_last(record, self._join, self._shape.whole)

    def table(self, batch: Batch, block: Any, needed: frozenset[str]) -> Table:
        assert isinstance(block, _Block)
        chosen = {name: kind for name, kind in self.columns().items() if name in needed}
        sql = self._shape.select(batch, block, chosen)
        return batch.table(sql, {ROW: "BIGINT", REJECT: "VARCHAR", **chosen})

    def text(self, block: Any, row: int) -> bytes:
        assert isinstance(block, _Block)
        return block.records.text(row)

    def why(self, text: bytes) -> str:
        lines = [clean(line) for line in text.split(b"\n") if line] or [b""]
        if self.record_start is not None and self._opener is not None and not self._opener.test(lines[0]):
            return "it does not begin as record_start says"
        tried = [self._shape.why(text) for text in (lines[0], *(join.join(lines) for join in self._join))]
        return max(tried, key=lambda one: one[0])[1]


def _value(column: str, kind: str, null: str | None) -> str:
    """SQL for a column of type `kind` from its text."""
    text = column if null is None else f"nullif({column}, {literal(null)})"
    return text if kind == "VARCHAR" else f"try_cast({text} as {kind})"


class _Template:
    """Fields by template."""

    def __init__(self, template: Template, complete: Sequence[Complete]) -> None:
        self._template = template
        self.columns = template.columns
        self.matcher = Matcher(template)
        self.anchors = () if self.matcher.anchor is None else (self.matcher.anchor,)
        names = list(self.columns)
        for rule in complete:
            if rule.column not in names:
                raise ValueError(f'`complete`: "{rule.column}" is no field of the template; it has {", ".join(names)}')
        self._rules = [(names.index(rule.column), rule.starts.encode(), rule.ends.encode()) for rule in complete]

    def whole(self, text: bytes) -> bool:
        """The template fits, and the rules hold."""
        spans = self._template.match(text)
        return spans is not None and all(self._holds(text, spans[index], *rule) for index, *rule in self._rules)

    def why(self, text: bytes) -> tuple[int, str]:
        """How many bytes fit, and what does not: the template, or a rule; no words if all is well."""
        stop = self._template.stop(text)
        if stop is not None:
            return stop[0], f"the template fits up to byte {stop[0]}; what follows is not {stop[1]}"
        spans = self._template.match(text)
        for index, starts, ends in self._rules:
            if spans is not None and not self._holds(text, spans[index], starts, ends):
                name = list(self.columns)[index]
                return len(text), f'{name} begins with "{starts.decode()}" and does not end with "{ends.decode()}"'
        return len(text) + 1, ""

    @staticmethod
    def _holds(text: bytes, span: Span, starts: bytes, ends: bytes) -> bool:
        value = text[slice(*span)]
        return not value.startswith(starts) or value.endswith(ends)

    def good(self, lines: Records, matched: Matched) -> Mask:
        """Which lines are whole records."""
        good = np.ones(len(lines), np.bool_) if matched.failed is None else ~matched.failed
        for index, starts, ends in self._rules:
            first, after = matched.spans[index]
            rows = np.flatnonzero(_has(lines, first, after, starts) & good)
            if len(rows):
                some = lines.take(rows)
                good[rows] = _has(some, np.maximum(after[rows] - len(ends), first[rows]), after[rows], ends)
        return good

    def rematch(self, done: Assembled, matched: Matched) -> Matched:
        """The fields of the assembled records, most of which are those of single lines."""
        if done.single.all() and done.records.apart is None and len(done.lines) == len(matched.spans[0][0]):
            return matched
        taken = matched.take(done.lines)
        if done.records.apart is None:
            return Matched(taken.spans, None)
        return self.matcher.match_each(done.records, taken.spans, np.flatnonzero(done.records.apart))

    def select(self, batch: Batch, block: _Block, chosen: Columns) -> str:
        records = block.records
        matched = block.matched or self.matcher.match(records, block.marks)
        names = list(self.columns)
        frame: dict[str, Any] = {ROW: np.arange(len(records), dtype=np.int64)}
        for name in chosen:
            first, after = matched.spans[names.index(name)]
            frame[name] = slices(records.buffers, first, after - first, records.apart)
        values = {name: _value(quote(name), kind, self._template.null_text) for name, kind in chosen.items()}
        reject = "null::varchar"
        if matched.failed is not None:
            frame["_failed"] = matched.failed.astype(np.int64)
            reject = "case _failed when 1 then 'malformed' end"
            values = {name: f"case _failed when 0 then {value} end" for name, value in values.items()}
        parts = [ROW, f"{reject} as {REJECT}", *(f"{value} as {quote(name)}" for name, value in values.items())]
        return f"select {', '.join(parts)} from {batch.register(Frame(frame))}"


class _Pattern:
    """Fields by regular expression."""

    anchors = ()

    def __init__(self, expression: Expression, null: str | None) -> None:
        self._expression = expression
        self._null = null
        self.columns = dict.fromkeys(expression.names, "VARCHAR")
        if not self.columns:
            raise ValueError("the pattern has no named group; write one as (?P<name>…)")

    def whole(self, text: bytes) -> bool:
        """The expression is found."""
        return bool(self._expression.found_in(Records.single(text))[0])

    def why(self, text: bytes) -> tuple[int, str]:
        """That the expression is not found; no words if it is."""
        return (len(text), "") if self.whole(text) else (0, "the pattern is not found in it")

    def select(self, batch: Batch, block: _Block, chosen: Columns) -> str:
        records = block.records
        text = slices(records.buffers, records.starts, records.ends - records.starts, records.apart)
        frame = batch.register(Frame({ROW: np.arange(len(records), dtype=np.int64), "_text": text}))
        names = list(chosen)
        first = AT_ONCE - 1  # the first search also brings the whole match
        groups = [names[:first], *(names[at : at + AT_ONCE] for at in range(first, len(names), AT_ONCE))]
        extracts = [f"{self._extract(group, whole=not at)} as _part{at}" for at, group in enumerate(groups)]
        inner = f"select {ROW}, _text, {', '.join(extracts)} from {frame}"
        found = f"case when _part0[{literal(_WHOLE)}] <> '' then true else {self._found()} end as _found"
        inner = f"select *, {found} from ({inner})"
        parts = {name: f"_part{index}[{literal(name)}]" for index, group in enumerate(groups) for name in group}
        values = [
            f"case when _found then {_value(part, 'VARCHAR', self._null)} end as {quote(name)}"
            for name, part in parts.items()
        ]
        reject = f"case when not _found then 'malformed' end as {REJECT}"
        return f"select {', '.join([ROW, reject, *values])} from ({inner})"

    def _found(self) -> str:
        return f"regexp_matches(_text, {literal(self._expression.pattern)})"

    def _extract(self, names: Sequence[str], *, whole: bool) -> str:
        pattern = self._expression.capturing(names)
        listed = [name for name in self._expression.names if name in names]
        if whole:
            pattern, listed = f"({pattern})", [_WHOLE, *listed]
        return f"regexp_extract(_text, {literal(pattern)}, [{', '.join(map(literal, listed))}])"


def _has(lines: Records, first: Offsets, after: Offsets, text: bytes) -> Mask:
    """Which of the slices `[first, after)` of the lines start with a text."""
    found = after - first >= len(text)
    for buffer, rows in lines.by_buffer():
        here = found[rows]
        for place, byte in enumerate(text):
            at = np.where(here, first[rows] + place, 0)
            here &= buffer[at] == byte
        found[rows] = here
    return found
