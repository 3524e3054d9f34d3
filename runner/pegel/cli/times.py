"""Times on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import typer


def moment(text: str, option: str) -> int:
    """Microseconds since 1970 of a time such as `2026-03-01T00:00:00Z` or `2026-03-01`; UTC if it does not say.

    Raises:
        typer.BadParameter: It is no time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no time such as 2026-03-01T00:00:00Z', param_hint=option) from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6)
