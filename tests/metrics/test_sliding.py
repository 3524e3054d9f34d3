"""A window that slides: what it adds up to, and how little it costs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pegel.metrics.sliding import Sliding

steps = st.lists(st.tuples(st.sampled_from(("push", "replace", "forget")), st.integers(0, 20)), max_size=60)


@given(steps)
def test_it_is_the_sum_of_its_panes_in_their_order(found: list[tuple[str, int]]) -> None:
    """Texts, because their order can be seen."""
    sliding = Sliding[str](lambda one, other: one + other)
    panes: dict[int, str] = {}
    newest = 0
    for step, number in found:
        if step == "push":
            newest += 1 + number
            panes[newest] = f"{newest},"
            sliding.push(newest, panes[newest])
        elif step == "replace":
            pane = max(0, newest - number)
            panes[pane] = f"{pane}:{number},"
            sliding.replace(pane, panes[pane])
        else:
            panes = {pane: value for pane, value in panes.items() if pane >= newest - number}
            sliding.forget(newest - number)
        assert sliding.total() == ("".join(value for _, value in sorted(panes.items())) or None)
        assert len(sliding) == len(panes)


def test_a_pane_is_merged_a_few_times_in_its_life_however_long_the_window() -> None:
    merges = 0

    def merge(one: int, other: int) -> int:
        nonlocal merges
        merges += 1
        return one + other

    sliding = Sliding(merge)
    for pane in range(1000):
        sliding.push(pane, 1)
        sliding.forget(pane - 119)
        assert sliding.total() == min(pane + 1, 120)
    assert merges < 3.5 * 1000
