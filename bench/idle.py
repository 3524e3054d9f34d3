"""What a runner costs while its log is quiet: share of a core and resident set.

`python bench/idle.py [--seconds N]`.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from live import cpu_of  # type: ignore[import-not-found] # a script beside this one

CONFIG = """
[runner]
state = "{directory}/state"
log_level = "error"

[[sources]]
name = "ookla"
preset = "ookla"
path = "{directory}/ooklaserver-access.log"
labels = {{ server = "bench" }}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "config.toml").write_text(CONFIG.format(directory=directory))
        (directory / "ooklaserver-access.log").touch()
        runner = subprocess.Popen([sys.executable, "-m", "pegel", "run", str(directory / "config.toml")])
        time.sleep(10)
        begun, cpu = time.monotonic(), cpu_of(runner.pid)
        time.sleep(given.seconds)
        share = (cpu_of(runner.pid) - cpu) / (time.monotonic() - begun)
        status = Path(f"/proc/{runner.pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
        print(f"idle for {given.seconds} s: {share:.2%} of a core, {resident:.0f} MB resident")
        runner.send_signal(signal.SIGTERM)
        runner.wait()


if __name__ == "__main__":
    main()
