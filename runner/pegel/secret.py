"""Secrets: texts that do not show themselves."""

from __future__ import annotations

from pathlib import Path

_Stamp = tuple[int, int, int]


class Secret:
    """A text that prints as `***`; only `reveal` gives it away, where it is sent to whom it is for.

    In the config an option of this type is a string, or the name of a file in an option of the same name
    with `_file` behind it. One from a file follows the file: whoever uses it asks `renew` now and then.
    """

    __slots__ = ("_file", "_stamp", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._file: Path | None = None
        self._stamp: _Stamp | None = None

    @classmethod
    def read(cls, file: Path) -> Secret:
        """The text of a file, without the white space around it.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not a text.
        """
        secret = cls("")
        secret._file = file
        secret._stamp = _stamp(file)  # before its text: a change in between is seen as one that is to come
        secret._text = file.read_text(encoding="utf-8").strip()
        return secret

    def renew(self) -> bool:
        """Read the file again if it was replaced; true if the text is another one now.

        While the file is missing, empty or half written, the text stays what it was.
        """
        if self._file is None:
            return False
        try:
            if _stamp(self._file) == self._stamp:
                return False
            fresh = Secret.read(self._file)
        except (OSError, ValueError):
            return False
        former, self._stamp = self._text, fresh._stamp  # noqa: SLF001 - another of its own class
        self._text = fresh.reveal() or former
        return self._text != former

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __getstate__(self) -> object:
        raise TypeError("a secret is not written down")


def _stamp(file: Path) -> _Stamp:
    found = file.stat()
    return (found.st_ino, found.st_size, found.st_mtime_ns)
