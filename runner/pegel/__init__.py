"""Pegel: exact numbers from live logs and metrics, declared in one TOML file."""

__version__ = "0.1.0"
