"""What an enricher may call the columns that it adds."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def check_names(option: str, names: Iterable[str]) -> None:
    """Refuse what would be no column, or one of the runner's own (`_row`, `_reject`, …).

    Raises:
        ValueError: The first name that is wrong, as `option.name: sentence`.
    """
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f'{option}: "{name}" is no name for a column; use letters, digits and _, a letter first')
        if name.lower() in seen:
            raise ValueError(f'{option}: "{name}" is there twice; the case of letters does not tell columns apart')
        seen.add(name.lower())
