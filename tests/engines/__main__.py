"""`./dev engines [NAME...]`: install the real servers that the tests run against, where this machine lacks them.

They go to `~/.cache/pegel/engines` (or `$PEGEL_ENGINES`), one directory for each name and version; what is there
or on PATH already is left alone. Nothing of the system is changed. The exit code is 1 if one is still missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence

from engines.catalog import ENGINES, Engine
from engines.recipes import InstallError
from engines.store import home, placing


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Install what is missing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="./dev engines", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all if none is said: {', '.join(ENGINES)}")
    names = parser.parse_args(arguments).names or list(ENGINES)
    if unknown := [name for name in names if name not in ENGINES]:
        parser.error(f"there is no engine {unknown[0]}; there are: {', '.join(ENGINES)}")
    missing = [name for name in names if not provide(ENGINES[name], environ)]
    return 1 if missing else 0


def provide(engine: Engine, environ: Mapping[str, str]) -> bool:
    """Install one engine unless it is there; returns whether it is there now."""
    found = engine.find(environ)
    if found is not None:
        _say(f"{engine.name}: {found}")
        return True
    missing = engine.recipe.missing(environ.get("PATH"))
    if missing:
        _say(f"{engine.name} {engine.version} cannot be installed here; its tests are skipped. It needs:")
        for sentence in missing:
            _say(f"    {sentence}")
        return False
    return _install(engine, environ)


def _install(engine: Engine, environ: Mapping[str, str]) -> bool:
    directory = home(environ) / engine.key
    _say(f"{engine.name} {engine.version}: installing into {directory} ({engine.recipe.takes}) ...")
    begun = time.monotonic()
    try:
        with placing(directory) as unfinished:
            if not directory.exists():  # somebody else may have been faster
                engine.recipe.install(unfinished)
                if objection := engine.objection(unfinished / engine.program):
                    raise InstallError(objection)
    except InstallError as error:
        _say(f"{engine.name} could not be installed; its tests are skipped: {error}")
        return False
    _say(f"{engine.name}: {engine.find(environ)} ({time.monotonic() - begun:.0f} s)")
    return True


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
