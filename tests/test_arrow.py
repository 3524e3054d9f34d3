from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.arrow import Frame, slices, windows
from pegel.table import Batch, Engine


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def _array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=20).map(str.encode), st.booleans()), max_size=30))
def test_slices_arrive_as_the_texts_that_they_point_at(engine: Engine, parts: list[tuple[bytes, bool]]) -> None:
    """Nothing between us and the engine copies or checks the bytes: a wrong view would be a wrong number."""
    buffers = [b"".join(text for text, second in parts if second is chosen) for chosen in (False, True)]
    starts, filled = [], [0, 0]
    for text, second in parts:
        starts.append(filled[second])
        filled[second] += len(text)
    column = slices(
        [_array(buffer) for buffer in buffers],
        np.array(starts, np.int64),
        np.array([len(text) for text, _ in parts], np.int64),
        np.array([second for _, second in parts], np.bool_),
    )
    with engine.batch() as batch:
        name = batch.register(Frame({"text": column, "n": np.arange(len(parts), dtype=np.int64)}))
        rows = batch.query(f"select n, text from {name} order by n")
    assert [(n, text.encode()) for n, text in rows] == [(n, text) for n, (text, _) in enumerate(parts)]


def test_a_frame_can_be_read_twice_in_one_query(engine: Engine) -> None:
    """Several metrics read one block, in one query or one after another."""
    with engine.batch() as batch:
        name = batch.register(Frame({"n": np.arange(5000, dtype=np.int64)}))
        assert batch.query(f"select count(*) from {name} a join {name} b using (n)") == [(5000,)]
        assert batch.query(f"select sum(n) from {name}") == [(12497500,)]


def test_values_outlive_the_arrays_of_the_caller(engine: Engine) -> None:
    """A table is evaluated late: the frame, not its maker, keeps the bytes alive."""

    def register(batch: Batch) -> str:
        data = ("a value of more than twelve bytes      " * 1000).encode()
        starts = np.arange(0, len(data), 39, dtype=np.int64)
        return batch.register(Frame({"text": slices([_array(data)], starts, np.full(len(starts), 39))}))

    with engine.batch() as batch:
        name = register(batch)
        assert batch.query(f"select distinct text from {name}") == [("a value of more than twelve bytes      ",)]


@pytest.mark.parametrize("kept", [True, False])
def test_arrays_are_given_back_at_once(engine: Engine, kept: bool) -> None:
    """Each frame may hold megabytes; waiting for the garbage collector, a backlog kept a hundred of them."""
    array = np.arange(5000, dtype=np.int64)
    alive = weakref.ref(array)
    gc.disable()
    try:
        with engine.batch() as batch:
            name = batch.register(Frame({"n": array}))
            del array
            assert batch.query(f"select sum(n) from {name}") == [(12497500,)]
            if kept:
                batch.keep(batch.table(f"select n from {name}", {"n": "BIGINT"}))
                assert alive() is None
        assert alive() is None
    finally:
        gc.enable()


def test_windows_behind_the_end_read_as_zero() -> None:
    data = _array(b"abcdef")
    found = windows(data, np.array([0, 4, 6], np.int64), 4)
    assert [bytes(row) for row in found] == [b"abcd", b"ef\0\0", b"\0\0\0\0"]
