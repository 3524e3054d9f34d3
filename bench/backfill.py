"""A back-fill of archives against the same bytes read by `pegel run --once`: CPU, wall time and memory.

`python bench/backfill.py [--records N] [--runs N]`. The sample is that of `bench/ookla.py`: a million records are
60 MB of archives.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.ookla import CONFIG, LIVE, Cost, preset, run, sample


def backfill(directory: Path) -> Cost:
    """The whole log as files that were given, beside a runner that has not begun and has no log yet."""
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config.toml"
        config.write_text(CONFIG.format(directory=scratch, log=Path(scratch) / LIVE))
        return run([sys.executable, "-m", "pegel", "backfill", str(config), str(directory / f"{LIVE}*"), "--quiet"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    directory = sample(given.records)
    size = sum(path.stat().st_size for path in directory.glob(f"{LIVE}*")) / 2**20
    lives, fills = [], []
    for _ in range(given.runs):
        lives.append(preset(directory))
        fills.append(backfill(directory))
    live = statistics.median(cost.cpu for cost in lives)
    fill = statistics.median(cost.cpu for cost in fills)
    wall = statistics.median(cost.wall for cost in fills)
    print(
        f"{given.records:,} records, {size:.0f} MiB of files: run --once {live:.2f} s of CPU, back-fill {fill:.2f} s"
        f" = {fill / live:.2f} times; wall {wall:.1f} s, {size / wall:.1f} MiB/s,"
        f" peak {max(cost.peak for cost in fills):.0f} MB beside {max(cost.peak for cost in lives):.0f} MB"
    )


if __name__ == "__main__":
    main()
