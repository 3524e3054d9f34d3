from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pegel.cli.chart import bars, cells, extremes, fit, legend, line_chart, resample, short, sparkline

WAVE = [10 + 8 * math.sin(index / 3) for index in range(24)]
STEP = [5.0] * 10 + [None] * 4 + [15.0] * 10

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)
values = st.lists(st.none() | numbers, max_size=80)


def test_a_sparkline_goes_from_the_lowest_to_the_highest_block() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"


def test_a_missing_value_is_a_blank_in_a_sparkline() -> None:
    assert sparkline([1, None, 2]) == "▁ █"
    assert sparkline([None, None]) == "  "
    assert sparkline([]) == ""


def test_equal_values_are_a_flat_line_and_zeros_lie_at_the_bottom() -> None:
    """A line that never moves must not look like one that is always at its maximum."""
    assert (sparkline([5, 5]), sparkline([0, 0])) == ("▄▄", "▁▁")


def test_many_values_are_averaged_to_the_width() -> None:
    assert sparkline([0, 0, 7, 7, 14, 14], 3) == "▁▅█"
    assert resample([1, None, 3, None, None, None], 3) == [1, 3, None]


def test_a_chart_has_a_scale_a_line_and_times() -> None:
    assert line_chart({"a": WAVE}, width=36, height=6, times=["12:00", "12:12", "12:23"]) == [
        "20 ┤     ⣀⡠⠤⡀                     ⢀⡠",
        "   │  ⡠⠒⠉   ⠈⠑⠤⡀                ⡠⠒⠁",
        "   │⡠⠊         ⠈⠢⡀            ⡠⠊",
        "   │             ⠑⢄         ⡠⠊",
        "   │               ⠑⠢⣀   ⢀⡠⠔⠁",
        " 0 ┤                  ⠉⠒⠉⠁",
        "   └────────────────────────────────",
        "    12:00         12:12        12:23",
    ]


def test_each_line_of_a_chart_has_its_colour_and_a_gap_stays_a_gap() -> None:
    chart = line_chart({"a": WAVE, "b": STEP}, width=36, height=6, paint=lambda number, text: f"<{number}:{text}>")
    assert chart[1] == "   │<0:  ⡠⠒⠉   ⠈⠑⠤⡀       ><1:⠤⠤⠤⠤⠤⠤⠤⠤⠤⡤⠶⠥⠤>"
    assert chart[4] == "   │<1:⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒  ><0:⠑⠢⣀   ⢀⡠⠔⠁>"


def test_a_flat_chart_shows_its_level_above_zero() -> None:
    assert line_chart({"a": [7, 7, 7]}, width=20, height=3) == [
        "8 ┤⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒",
        "  │",
        "0 ┤",
        "  └─────────────────",
    ]


def test_negative_values_have_a_scale_of_their_own() -> None:
    chart = line_chart({"a": [-5, 5]}, width=20, height=9)
    assert [line.split()[0] for line in chart[:9:2]] == ["5", "2.5", "0", "-2.5", "-5"]


def test_a_scale_never_has_one_label_twice() -> None:
    chart = line_chart({"a": [100_000, 100_100]}, width=30, height=5)
    assert (chart[0].split()[0], chart[4].split()[0]) == ("100,100", "100,000")


def test_a_chart_of_nothing_is_empty() -> None:
    assert line_chart({}) == []
    assert line_chart({"a": [None, None]}) == []


def test_a_legend_names_each_line_with_its_extremes() -> None:
    assert legend({"tests": [3, None, 12], "日本": [0.25, 1234567]}) == [
        "● tests  min 3       max 12      last 12",
        "● 日本   min 0.25    max 1.23M   last 1.23M",
    ]
    assert extremes([None]) == "no values"


def test_bars_are_in_proportion() -> None:
    assert bars({"DE": 120, "日本": 60, "x": 3.2}, 30) == [
        "DE    ████████████████████ 120",
        "日本  ██████████ 60",
        "x     ▌ 3.2",
    ]
    assert bars({}) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (7, "7"), (999, "999"), (1000, "1k"), (12345, "12.3k"), (999_950, "1M"), (-1234, "-1.23k"),
     (0.25, "0.25"), (999.9, "1k"), (0.000123, "0.000123"), (1e15, "1000T")],
)  # fmt: skip
def test_a_number_is_short(value: float, text: str) -> None:
    assert short(value) == text


def test_wide_characters_count_twice_and_joiners_not_at_all() -> None:
    """Columns behind a Japanese label would not be columns."""
    assert (cells("ab"), cells("日本"), cells("e\u0301")) == (2, 4, 1)


@given(st.text(max_size=12), st.integers(1, 10))
def test_a_fitted_text_takes_exactly_its_columns(text: str, width: int) -> None:
    assert cells(fit(text, width)) == width


@given(values, st.integers(1, 40))
@example([1.7e308, 1.7e308, -1.7e308, -1.7e308], 2)
def test_any_values_make_a_sparkline_of_the_right_width(line: list[float | None], width: int) -> None:
    assert len(sparkline(line, width)) == min(width, len(line))


@example({"a": [1e16, 1e16 + 2]}, 20, 5)
@example({"a": [-9007199254740996.0]}, 1, 1)
@given(st.dictionaries(st.text(max_size=3), values, max_size=3), st.integers(1, 90), st.integers(1, 14))
def test_any_values_make_a_chart_that_fits(lines: dict[str, list[float | None]], width: int, height: int) -> None:
    """Whatever is measured: 1e308, a single value, none."""
    chart = line_chart(lines, width=width, height=height)
    assert len(chart) in (0, height + 1)
    assert len({line.index("┤") if "┤" in line else line.index("│") for line in chart[:-1]}) <= 1
    legend(lines)
