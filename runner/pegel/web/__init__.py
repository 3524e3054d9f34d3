"""The web server of the runner: it listens, and checks who asks, for every component that answers over HTTP."""

from pegel.web.server import WebServer

__all__ = ["WebServer"]
