"""Other machines that read for a command, where the configuration has `[scale]`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pegel.errors import PegelError

if TYPE_CHECKING:
    from pegel.plan import Plan
    from pegel.scale.crew import Crew


def crew(plan: Plan) -> Crew | None:
    """Who reads for a plan; nobody where it does not say so. Connecting has begun.

    Raises:
        PegelError: Dask is not installed.
    """
    if plan.scale is None:
        return None
    from pegel.scale.crew import Crew
    from pegel.seams import SystemClock

    with needs_dask():
        from pegel.scale.cluster import Cluster
    cluster = Cluster(plan.scale)
    cluster.open()
    return Crew(plan, cluster, SystemClock())


@contextmanager
def needs_dask() -> Iterator[None]:
    """Say what to install where Dask is missing.

    Raises:
        PegelError: It is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise PegelError("[scale] needs Dask, which is not installed: pip install 'pegel[scale]'") from error
