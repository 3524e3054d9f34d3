"""The configuration: one TOML file in, a checked plan out, or every problem with its place.

problems, words        what people read
places, interpolation, document      TOML to a tree in which each value knows its place
options, components    a table to an object of a dataclass
presets                ready-made sources spelled out
entries                the words of the language
sources, enrichers, metrics, sinks, runner, cases      each section of the file
loading                all of it
"""

from __future__ import annotations

from pegel.config.loading import Checked, check, load
from pegel.config.problems import Problem

__all__ = ["Checked", "Problem", "check", "load"]
