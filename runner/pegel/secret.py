"""Secrets: texts that do not show themselves."""

from __future__ import annotations


class Secret:
    """A text that prints as `***`; only `reveal` gives it away, where it is sent to whom it is for.

    In the config an option of this type is a string, or the name of a file in an option of the same name
    with `_file` behind it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

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
