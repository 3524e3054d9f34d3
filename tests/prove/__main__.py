"""`python -m prove --quick|--full` (from `tests/`): everything that this repository can prove, with figures.

It prints what each part did and found, with counts and durations; the exit code is 0 if nothing was wrong.
Parts can be chosen: `--only crashes,sigkill`.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time

from prove.parts import FULL, PARTS, QUICK, Budget


def main() -> int:
    """Run the parts; returns the exit code."""
    parser = argparse.ArgumentParser(prog="prove", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="10 minutes in all (the default)")
    size.add_argument("--full", action="store_true", help="the goals of a release: hours")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="first seed; printed, so a run can be repeated"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as with Ctrl-C, whatever was started is ended
    logging.disable(logging.CRITICAL)  # what the runner says of the faults that it was given
    budget: Budget = FULL if options.full else QUICK
    _say(f"seed {options.seed}")
    wrong = 0
    for name in options.only.split(","):
        finding = PARTS[name](budget, options.seed)
        wrong += len(finding.wrong)
        _say(f"{name}: {finding.summary}")
        for sentence in finding.wrong[:20]:
            _say(f"    {sentence}")
    _say("nothing was wrong" if not wrong else f"{wrong} things were wrong")
    return 1 if wrong else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
