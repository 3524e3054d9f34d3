"""The files that a command line names: each once, whatever it was called."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer


def expanded(words: Iterable[Path]) -> list[str]:
    """Files, the files in directories and below, and those that patterns match; no file twice.

    Raises:
        typer.BadParameter: A word names nothing; better no back-fill than half of one.
    """
    found: dict[Path, str] = {}
    for word in words:
        names = list(_named(word))
        if not names:
            raise typer.BadParameter(f"there is no file {word}", param_hint="FILES")
        for path in names:
            found.setdefault(path.resolve(), str(path))
    return list(found.values())


def _named(word: Path) -> Iterator[Path]:
    if word.is_dir():
        yield from (path for path in sorted(word.rglob("*")) if path.is_file() and not _is_hidden(path, word))
    elif word.exists():
        yield word
    elif glob.has_magic(str(word)):
        for name in sorted(glob.glob(str(word), recursive=True)):  # noqa: PTH207 - a pattern as it was typed
            yield from _named(Path(name))


def _is_hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)
