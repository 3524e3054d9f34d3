r"""Invented Ookla access logs: true in form, reproducible, fast to make.

    python -m pegel.samples.ookla --out DIR --records 1000000 --profile bench
    python -m pegel.samples.ookla --out DIR --live --rate 100 --past 30m --profile dirty

writes `DIR/ooklaserver-access.log` and its archives. The command is also the log writer of `pegel demo`.

The profile `bench` is fixed: of every 10 records exactly one is a `HI`, of every 25 `HI` exactly one stretches
over several lines, every 10 records bring exactly 3 test ids that were not seen before (of all requests that
have one), 2 % of the tokens are odd (missing, broken, incomplete), no record is damaged, all times are GMT,
200 records a second, about 360 bytes each.

The small sample in `presets/samples/ookla`, over two days, is made by

    python -m pegel.samples.ookla --out DIR --records 2850 --seed 7 --profile dirty --rate 1.6 \
        --start 2026-03-03T23:49:20Z --rotate 470kB
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from pegel.samples import live
from pegel.samples.ookla_log import PROFILES, Shape, records
from pegel.samples.rotation import RotatingLog, Rotation

LOG_NAME = "ooklaserver-access.log"


def write(directory: Path, log: Iterator[tuple[float, bytes]], rotation: Rotation) -> None:
    """Write records and their archives into a directory."""
    with RotatingLog(directory / LOG_NAME, rotation) as file:
        for time, record in log:
            file.write(time, record)


def follow(directory: Path, seed: int, past: float, shape: Shape, rotation: Rotation, stop: threading.Event) -> None:
    """Write the log live, after its last `past` seconds, until `stop` is set."""
    live.follow(directory / LOG_NAME, lambda start: records(seed, start, shape), past, rotation, stop)


def main(arguments: list[str] | None = None) -> None:
    """Write a log as the command line says."""
    options = _parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    shape = PROFILES[options.profile]
    shape = shape.at_rate(options.rate) if options.rate else shape
    rotation = live.rotation(options)
    if options.live:
        follow(options.out, options.seed, options.past, shape, rotation, live.stop_after(options.seconds))
    else:
        log = islice(records(options.seed, options.start.timestamp(), shape), options.records)
        write(options.out, log, rotation)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pegel.samples.ookla", description="Write an invented Ookla log.")
    parser.add_argument("--out", type=Path, required=True, help="directory of the log and its archives")
    parser.add_argument("--records", type=int, default=100_000, help="how many records (without --live)")
    parser.add_argument("--profile", choices=tuple(PROFILES), default="clean", help="how the log looks")
    parser.add_argument("--rate", type=float, help="records in an average second; default that of the profile")
    parser.add_argument("--start", type=_moment, default="2026-03-03T12:00:00Z", help="time of the first record")
    parser.add_argument("--seed", type=int, default=1)
    live.add_options(parser)
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
