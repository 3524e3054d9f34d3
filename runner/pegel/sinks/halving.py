"""Finding the rows of a request that a server can never store: what is refused is halved until they are alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pegel.errors import Fault

_MOST_REASONS = 10
_OTHER = "refused, for one of many reasons"
"""A server that finds words of its own for every row must not fill the log and our metrics with them."""


@dataclass(frozen=True)
class Refusal:
    """Rows can never be stored.

    Attributes:
        reason: For people, and the same for rows with the same fault.
        dropped: How many of the rows sent were not stored, 0 if the server does not say. It may be more.
        fault: The class of the reason.
    """

    reason: str
    dropped: int = 0
    fault: Fault = "other"


def refused_rows(
    rows: Sequence[int], store: Callable[[Sequence[int]], Refusal | None], is_meant: Callable[[Refusal], None]
) -> dict[int, Refusal]:
    """Store all rows but those that can never be stored; these, with the reason of each.

    Storing a row again that is stored already has to change nothing.

    Args:
        rows: Numbers of the rows.
        store: Sends some of them; what is said against one of them, None if they are stored.
        is_meant: Called where all are refused at once: raises a Retryable if every request would be.
    """
    refused: dict[int, Refusal] = {}
    todo = [rows] if rows else []
    while todo:
        part = todo.pop()
        verdict = store(part)
        if verdict is None:
            continue
        if part is rows and not verdict.dropped:
            is_meant(verdict)
        if len(part) == 1 or verdict.dropped == len(part):
            known = {one.reason for one in refused.values()}
            reason = verdict.reason if len(known) < _MOST_REASONS or verdict.reason in known else _OTHER
            refused.update(dict.fromkeys(part, replace(verdict, reason=reason)))
        else:
            middle = len(part) // 2
            todo += [part[middle:], part[:middle]]
    return dict(sorted(refused.items()))


def faults_of(refused: dict[int, Refusal]) -> tuple[dict[int, str], dict[int, Fault]]:
    """Reasons and classes of refused rows, each by the number of the row."""
    reasons = {number: one.reason for number, one in refused.items()}
    return reasons, {number: one.fault for number, one in refused.items()}
