"""An engine for the few questions that framing has to ask, when there is no batch yet."""

from __future__ import annotations

from functools import cache

from pegel.arrow import Frame
from pegel.table import Engine, Row


@cache
def _engine() -> Engine:
    return Engine()


def ask(sql: str, frame: Frame | None = None) -> list[Row]:
    """Run a query; `{frame}` in it stands for the name of the frame.

    Raises:
        duckdb.Error: It cannot be run.
    """
    with _engine().batch() as batch:
        return batch.query(sql if frame is None else sql.replace("{frame}", batch.register(frame)))
