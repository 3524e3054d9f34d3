"""What is wrong with a configuration: where, what, and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_HIDDEN = re.compile(r"(\$\{\w+\})|[^\s=,{}\[\]\"']")
_SECRET_KEY = re.compile(r"token|passw|secret|credential|(api|access|private)_?key", re.IGNORECASE)
_PATH = r"(?:/|\.{1,2}/|\$\{\w+\}/)[\w.-]{1,48}(?:/[\w.-]{1,48})*"
"""What is certainly the name of a file, and no secret that was written in the place of one."""
_SECRET_FILE = re.compile(rf'\s*[\w.-]+_file\s*=\s*"{_PATH}"\s*')
_LOGIN = re.compile(r"://[^/\s\"']*@")
"""A user and a password in a URL."""


@dataclass(frozen=True)
class Place:
    """A place in a configuration file.

    Attributes:
        file: Name as the operator gave it, or the name of a preset.
        line: From 1; 0 where the file as a whole is meant.
        column: From 1, in characters.
        source: The text of the line.
        order: Number of the file in the order of reading.
        used_at: For a place in a preset: where the operator's file asks for it.
    """

    file: str
    line: int
    column: int
    source: str = field(default="", repr=False, compare=False)
    order: int = 0
    used_at: Place | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def sort_key(self) -> tuple[int, int, int, int, int]:
        """In the operator's order: what a preset causes comes where the preset is used."""
        outer = self.used_at or self
        return outer.order, outer.line, outer.column, self.line, self.column


@dataclass(frozen=True)
class Problem:
    """One reason to refuse a configuration, or to warn.

    Attributes:
        place: Where.
        path: The key, such as `metrics[2].values.users`; empty for the file as a whole.
        message: One sentence, never the value of a secret.
        suggestion: What may have been meant.
        masked: The line may hold a secret under a name that we do not know; its values are not shown.
    """

    place: Place
    path: str
    message: str
    suggestion: str = ""
    masked: bool = False

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.place.file

    @property
    def line(self) -> int:
        """Line, from 1."""
        return self.place.line

    @property
    def column(self) -> int:
        """Column, from 1."""
        return self.place.column

    def __str__(self) -> str:
        return f"{self.place}  {self.sentence}"

    @property
    def sentence(self) -> str:
        """The problem without its place."""
        meant = f'; did you mean "{self.suggestion}"?' if self.suggestion else ""
        used = f" (preset used at {self.place.used_at})" if self.place.used_at else ""
        subject = f"{self.path}: " if self.path else ""
        return f"{subject}{self.message}{meant}{used}"

    @property
    def excerpt(self) -> str:
        """The line with a caret under the place, empty where there is none; secrets are masked."""
        line = self.place.source.replace("\t", " ")
        if not line.strip():
            return ""
        secret = _SECRET_KEY.search(line + self.suggestion) and not _SECRET_FILE.fullmatch(line)
        if self.masked or secret or _LOGIN.search(line):
            line = _masked(line)
        return f"{line}\n{' ' * (self.column - 1)}^"

    def as_json(self) -> dict[str, str | int]:
        """For machines."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
            "suggestion": self.suggestion,
        }


def names_a_secret(key: str) -> bool:
    """Whether a key is called like something that nobody should see."""
    return _SECRET_KEY.search(key) is not None


def file_name(text: str) -> str:
    """The name of a file that should hold a secret, for a sentence: empty if it might be the secret itself."""
    return f" {text}" if re.fullmatch(_PATH, text) else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name that is closest to what was written, empty if none is close."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), "")


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a sentence, shortened where there are many."""
    names = list(names)
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def show_path(path: Sequence[str | int]) -> str:
    """Write a path the way people do: `metrics[2].values.users`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"'
            text += f".{name}" if text else name
    return text


def _masked(line: str) -> str:
    """The same line without what stands behind the first equals sign; names of variables may be seen."""
    key, equals, value = line.partition("=")
    return key + equals + _HIDDEN.sub(lambda found: found[1] or "*", value)
