"""The boards: one module each, with its `DASHBOARD`."""

BOARDS = ("overview", "ookla", "ookla_provider", "ookla_prometheus", "cdn77", "pegel_itself", "stack_health")
