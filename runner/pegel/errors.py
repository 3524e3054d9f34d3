"""The errors that leave a component, and who answers for each.

PegelError
├── ConfigError      the operator's file is wrong; nothing was started
├── StateError       the state cannot be used or trusted; the runner stops
├── ListenError      an address to listen at cannot be had; nothing was started
├── SourceError      a source cannot be read now; retried with back-off
└── SinkError        a payload was not stored
    ├── Retryable    try the same bytes again later
    └── Permanent    trying again is useless; the rows named go to the dead letters
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

Fault = Literal["type_conflict", "outside_retention", "unparsable", "too_big", "out_of_order", "other"]
"""Why a point can never be stored, as a class: few, whatever words a server finds for each row."""


class PegelError(Exception):
    """Anything that Pegel raises on purpose; its text is a sentence for the operator."""


class ConfigError(PegelError):
    """The configuration is refused; `problems` has every reason, in the order of the file."""

    def __init__(self, problems: Sequence[object]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class StateError(PegelError):
    """The state directory cannot be used: locked, newer than this program, corrupt, or on a bad disk.

    `fatal` says that trying again cannot help or would be wrong.
    """

    def __init__(self, message: str, *, fatal: bool = True) -> None:
        self.fatal = fatal
        super().__init__(message)


class ListenError(PegelError):
    """An address cannot be listened at: it is taken, not this machine's, or not allowed."""


class SourceError(PegelError):
    """A source cannot be read at the moment; its cursor has not moved."""


class SinkError(PegelError):
    """A sink did not store a payload."""


class Retryable(SinkError):
    """The same payload may succeed later.

    Attributes:
        after: The wait that the other side asked for, in seconds.
        unsure: Nobody knows what came of the attempt: it may have been stored, or may yet be, behind something
            that is sent later. False where it is certain that nothing of it is on its way.
    """

    def __init__(self, message: str, after: float | None = None, *, unsure: bool = True) -> None:
        self.after = after
        self.unsure = unsure
        super().__init__(message)


class Permanent(SinkError):
    """Something in the payload can never be stored as it is; all the rest of it is.

    Attributes:
        rows: The bad points, by their index in what was encoded, and the reason for each; empty for all of them,
            of which nothing was stored.
        faults: The class of each of them, by the same index; `other` where there is none.
    """

    def __init__(
        self, message: str, rows: Mapping[int, str] | None = None, faults: Mapping[int, Fault] | None = None
    ) -> None:
        self.rows = dict(rows or {})
        self.faults = dict(faults or {})
        super().__init__(message)
