"""`pegel worker`: read and fold objects for a runner on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pegel.cli.arguments import CONFIG, Config

if TYPE_CHECKING:
    from pegel.plan import Plan, ScaleSettings


def worker(
    config: Config = CONFIG,
    scheduler: Annotated[
        str | None, typer.Option(help="Where the scheduler is, instead of what [scale] says: tls://HOST:PORT.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Errands at a time; 0 = one per core.")] = 0,
) -> None:
    """Read and fold objects for a runner on another machine.

    The configuration is that of the runner, with credentials of this machine: a worker that would make anything else
    of an object says so and does nothing. It has no state, sends nothing, and may be stopped or killed at any moment:
    others do again what it was at, and only the runner counts.

    While the scheduler is away it tries again. SIGTERM or Ctrl-C stops it.

    Examples:
        pegel worker /etc/pegel/config.toml
            One worker that uses all cores.
        pegel worker config.toml --threads 4 --scheduler tls://10.0.0.5:8786
            A part of a machine, and another scheduler.
    """
    from dataclasses import replace

    from pegel import logs
    from pegel.config import load

    plan = load(config)
    logs.set_up(plan.runner.log_level, plan.runner.log_format)
    settings = plan.scale
    if settings is None:
        raise typer.BadParameter("has no [scale], which says where the scheduler is", param_hint="CONFIG")
    if scheduler is not None:
        try:
            settings = replace(settings, scheduler=scheduler)
        except ValueError as error:
            raise typer.BadParameter(str(error).removeprefix("scheduler: "), param_hint="--scheduler") from error
    _work(plan, settings, threads)


def _work(plan: Plan, settings: ScaleSettings, threads: int) -> None:
    """Be a worker until a signal comes."""
    import asyncio
    import signal
    import tempfile

    from pegel.cli.scaling import needs_dask
    from pegel.pipeline.runner import worker_count
    from pegel.scale.workshop import Workshop
    from pegel.seams import SystemClock

    with needs_dask():
        from pegel.scale.serving import serve

    async def until_told(directory: Path) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        count = worker_count(threads)
        await serve(settings, workshop, threads=count, directory=directory, stop=stop)

    with tempfile.TemporaryDirectory(prefix="pegel-worker-") as scratch:
        workshop = Workshop(plan, SystemClock(), Path(scratch))
        if not workshop.sources:
            raise typer.BadParameter("has no source with objects (type s3)", param_hint="CONFIG")
        try:
            asyncio.run(until_told(Path(scratch)))
        finally:
            workshop.close()
