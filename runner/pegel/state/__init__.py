"""The one SQLite file: positions, windows, totals, admissions, keys and the outbox.

Everything that has to be true together is in one file and moves in one transaction. This room stores
rows; what they mean is decided in `metrics/` and `pipeline/`.
"""

from pegel.state.store import Connect, State, connect

__all__ = ["Connect", "State", "connect"]
