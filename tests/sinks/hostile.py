"""Points as an enemy would make them: what any serializer has to survive."""

from __future__ import annotations

from hypothesis import strategies as st

from pegel.sinks import Histogram, Kind, Point, Value

NASTY = [
    *("", " ", "\n", "a\nb", "\r\n", "\x00", "\\", "a\\", "a\\\\", '"', '"} 1\nevil 2', "a,b=c d", "=", ","),
    *(
        "#x",
        "_x",
        "__name__",
        "le",
        "time",
        "_field",
        "0start",
        "NaN",
        "\\" * 40,
        "x" * 10_000,
        "x" * 9_999 + "y",
    ),
    *("\ud800", "x\udfffy", "\u202eevil", "\u2066x\u2069", "\u2028", "\x1b[31mred", "\x85", "\x7f"),
    *("é", "e\u0301", "👩\u200d👩\u200d👧", "日本語"),
]

texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=12))
names = st.one_of(st.sampled_from(["tests", "users", "value", "total"]), texts)
numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 2**53 + 1]),
)
times = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)  # the years 1 to 9999


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    bounds = tuple(sorted(draw(st.sets(st.floats(allow_nan=False), max_size=5))))
    counts = tuple(sorted(draw(st.lists(st.integers(0, 10**9), min_size=len(bounds) + 1, max_size=len(bounds) + 1))))
    return Histogram(bounds, counts, draw(st.floats()))


@st.composite
def points(draw: st.DrawFn) -> Point:
    values: dict[str, Value | Histogram] = draw(
        st.dictionaries(names, st.one_of(numbers, texts, histograms()), max_size=4)
    )
    kinds: dict[str, Kind] = {name: draw(st.sampled_from(["gauge", "counter", "info"])) for name in values}
    start = draw(times)
    return Point(
        draw(names),
        tuple(sorted(draw(st.dictionaries(names, texts, max_size=4)).items())),
        start,
        min(start + draw(st.sampled_from([1_000_000, 60_000_000])), 253_402_300_799_999_999),
        values,
        {name: "histogram" if isinstance(value, Histogram) else kinds[name] for name, value in values.items()},
        draw(st.integers(1, 4)),
        draw(texts),
    )


many_points = st.lists(points(), max_size=6)


def point(
    metric: str = "ookla_speedtest_minutely",
    labels: tuple[tuple[str, str], ...] = (("server", "st-01"),),
    minute: int = 0,
    revision: int = 1,
    kinds: dict[str, Kind] | None = None,
    **values: Value | Histogram,
) -> Point:
    """A friendly one: 2026-03-03T12:00:00Z and `minute` minutes, 12 tests by 9 users unless told."""
    start = 1_772_539_200_000_000 + minute * 60_000_000
    chosen = values or {"tests": 12, "users": 9}
    return Point(metric, labels, start, start + 60_000_000, chosen, kinds or {}, revision, "Speed tests.")
