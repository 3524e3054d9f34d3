"""Charts out of characters: pure functions from numbers to lines of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

Values = Sequence[float | None]
"""Numbers in order; None where there is none."""

Paint = Callable[[int, str], str]
"""Gives a text the colour of the series with this number."""

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by column, from the top, as Unicode counts them
_LARGE = 1e290  # beyond, differences of floats overflow or vanish
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def sparkline(values: Values, width: int | None = None) -> str:
    """One character per value, from the lowest ▁ to the highest █; a blank where there is none.

    More values than `width` are averaged in groups. Values that are all equal are a line at half height, at the
    bottom where they are 0.
    """
    shown = resample(values, width) if width is not None and len(values) > width else values
    present = [value for value in shown if value is not None]
    if not present:
        return " " * len(shown)
    low, high = min(present), max(present)
    return "".join(" " if value is None else _LEVELS[_level(value, low, high)] for value in shown)


def line_chart(
    series: Mapping[str, Values],
    *,
    width: int = 72,
    height: int = 12,
    times: Sequence[str] = (),
    paint: Paint = lambda _number, text: text,
) -> list[str]:
    """A chart of one or several lines, with the scale on the left and the times below.

    Args:
        series: The lines by name; all have the same number of values.
        width: Characters of the whole chart.
        height: Lines of the plot; below come the axis and the times.
        times: What is written below the axis, evenly spread from the first value to the last.
        paint: Colours what belongs to a series.
    """
    present = [value for values in series.values() for value in values if value is not None]
    if not present:
        return []
    ticks = _ticks(min(present), max(present))
    low, high = ticks[0], ticks[-1]
    labels = _scale_labels(ticks, height)
    margin = max(map(len, labels))
    plot_width = max(4, width - margin - 2)
    plot = _plot(list(series.values()), low, high, plot_width, height, paint)
    lines = [f"{label:>{margin}} {'┤' if label else '│'}{row}" for label, row in zip(labels, plot, strict=True)]
    lines.append(f"{'':{margin}} └{'─' * plot_width}")
    if times:
        lines.append(f"{'':{margin + 2}}{_spread(times, plot_width)}")
    return lines


def legend(series: Mapping[str, Values], paint: Paint = lambda _number, text: text) -> list[str]:
    """One line per series: its mark, name, lowest, highest and last value."""
    names = max((cells(name) for name in series), default=0)
    return [
        f"{paint(number, '●')} {fit(name, names)}  {extremes(values)}"
        for number, (name, values) in enumerate(series.items())
    ]


def extremes(values: Values) -> str:
    """The lowest, highest and last value in words."""
    present = [value for value in values if value is not None]
    if not present:
        return "no values"
    figures = (("min", min(present)), ("max", max(present)), ("last", present[-1]))
    return "  ".join(f"{word} {short(value):<6}" for word, value in figures).rstrip()


def bars(values: Mapping[str, float], width: int = 72) -> list[str]:
    """One horizontal bar per name, in proportion to the largest; its number behind it."""
    if not values:
        return []
    names = min(max(map(cells, values)), width // 2)
    numbers = {name: short(value) for name, value in values.items()}
    room = max(4, width - names - max(map(len, numbers.values())) - 3)
    largest = max(*values.values(), 0.0) or 1.0
    return [
        f"{fit(name, names)}  {_bar(max(0.0, value) / largest * room)} {numbers[name]}".rstrip()
        for name, value in values.items()
    ]


def resample(values: Values, count: int) -> list[float | None]:
    """The values averaged in `count` groups of neighbours; a group without values stays without."""
    groups = [values[len(values) * each // count : len(values) * (each + 1) // count] for each in range(count)]
    present = [[value for value in group if value is not None] for group in groups]
    # Each divided first: the sum of two very large numbers is infinite.
    return [sum([value / len(group) for value in group]) if group else None for group in present]


def short(value: float) -> str:
    """A number with three digits and a unit: `7`, `0.25`, `1.23k`, `45.6M`."""
    for factor, unit in _UNITS:
        if abs(value) >= factor * 0.9995:
            return f"{_digits(value / factor)}{unit}"
    return str(value) if isinstance(value, int) else _digits(value)


def cells(text: str) -> int:
    """Columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    shown = [each for each in text if not unicodedata.combining(each) and each not in "\u200c\u200d\ufe0f"]
    return len(shown) + sum([unicodedata.east_asian_width(each) in "WF" for each in shown])


def fit(text: str, width: int) -> str:
    """A text in exactly `width` columns: filled up, or cut with an ellipsis."""
    if cells(text) <= width:
        return text + " " * (width - cells(text))
    while text and cells(text) > width - 1:
        text = text[:-1]
    return text + "…" + " " * (width - 1 - cells(text))


def _level(value: float, low: float, high: float) -> int:
    if high == low:
        return 3 if value else 0
    # Halves first: the difference of two very large numbers is infinite.
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return min(7, int(share * 8))


def _digits(value: float) -> str:
    text = f"{value:.3g}"
    return f"{value:.0f}" if "e" in text and abs(value) >= 1 else text


def _ticks(lowest: float, highest: float) -> list[float]:
    """Three to seven round numbers around the values; 0 is one of them unless that would flatten the line."""
    low, high = max(lowest, -_LARGE), min(highest, _LARGE)
    flat = high - low <= max(abs(low), abs(high), 1 / _LARGE) * 1e-12
    if flat or 0 <= low < high * 0.6:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1 / _LARGE:
        high = low + 1.0
    step = _round_step((high - low) / 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor >= step * 0.999)


def _scale_labels(ticks: Sequence[float], height: int) -> list[str]:
    """The ticks beside the lines of the plot, from the top; only the outer ones where there is little room."""
    shown = ticks if height > 2 * len(ticks) - 2 else (ticks[0], ticks[-1])
    texts = [short(int(tick) if tick == int(tick) else tick) for tick in shown]
    if len(set(texts)) < len(texts):  # 100,000 and 100,100 would both be 100k
        texts = [f"{tick:,.12g}" for tick in shown]
    labels = [""] * height
    for tick, text in zip(shown, texts, strict=True):
        share = (tick - ticks[0]) / (ticks[-1] - ticks[0])
        labels[height - 1 - _dot(share, height)] = text
    return labels


def _plot(lines: Sequence[Values], low: float, high: float, width: int, height: int, paint: Paint) -> list[str]:
    dots = [[0] * width for _ in range(height)]
    owner = [[0] * width for _ in range(height)]
    for number, values in enumerate(lines):
        for x, y in _trace(values, low, high, width * 2, height * 4):
            row, column = height - 1 - y // 4, x // 2
            dots[row][column] |= _DOTS[x % 2][3 - y % 4]
            owner[row][column] = number
    return [_paint_row(*row, paint) for row in zip(dots, owner, strict=True)]


def _paint_row(dots: Sequence[int], owner: Sequence[int], paint: Paint) -> str:
    """A row of braille characters, in as few pieces of one colour as possible, without blanks at its end."""
    row, piece, colour = "", "", 0
    for bits, number in zip(dots, owner, strict=True):
        if bits and number != colour and piece:
            row, piece = row + (paint(colour, piece) if piece.strip() else piece), ""
        colour = number if bits else colour
        piece += chr(0x2800 + bits) if bits else " "
    rest = piece.rstrip()
    return (row + (paint(colour, rest) if rest else "")).rstrip()


def _trace(values: Values, low: float, high: float, width: int, height: int) -> set[tuple[int, int]]:
    """The dots of a line from each value to the next; a missing value interrupts it."""
    shown = resample(values, width) if len(values) > width else values
    last = max(1, len(shown) - 1)
    found: set[tuple[int, int]] = set()
    before: tuple[int, int] | None = None
    for index, value in enumerate(shown):
        if value is None:
            before = None
            continue
        here = (round(index * (width - 1) / last), _dot((value - low) / (high - low), height))
        found.update(_segment(before or here, here))
        before = here
    return found


def _dot(share: float, height: int) -> int:
    return round(min(1.0, max(0.0, share)) * (height - 1))


def _segment(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    return [
        (start[0] + round((end[0] - start[0]) * step / steps), start[1] + round((end[1] - start[1]) * step / steps))
        for step in range(steps + 1)
    ]


def _spread(texts: Sequence[str], width: int) -> str:
    """Texts below an axis: the first at its left end, the last at its right end, the others between."""
    line = [" "] * width
    for number, text in enumerate(texts):
        share = number / max(1, len(texts) - 1)
        at = min(max(0, round(share * (width - 1) - share * len(text) + share)), max(0, width - len(text)))
        if all(each == " " for each in line[max(0, at - 1) : at + len(text) + 1]):
            line[at : at + len(text)] = text
    return "".join(line)[:width].rstrip()


def _bar(eighths: float) -> str:
    whole, part = divmod(round(eighths * 8), 8)
    return "█" * whole + _EIGHTHS[part].strip()
