"""The boards: one module each, with its `DASHBOARD`."""

BOARDS = ("ookla", "ookla_provider", "ookla_prometheus")
