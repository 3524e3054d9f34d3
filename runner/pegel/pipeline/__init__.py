"""The turn, the loop, the threads: everything that the components do not have to know."""

from pegel.pipeline.runner import Runner

__all__ = ["Runner"]
