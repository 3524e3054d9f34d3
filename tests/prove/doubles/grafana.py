"""A stand-in for Grafana's program: reads secrets and provisioning as it does, then answers that it is well.

It ends at once where Grafana would: a secret that is not there, a token file of a data source that cannot be read.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWERS = {"/api/health": b'{"database": "ok"}\n', "/metrics": b""}


class Health(BaseHTTPRequestHandler):
    """Says `ok`, and has a page without metrics: it is up, and that is all that is known of it."""

    def do_GET(self) -> None:
        answer = ANSWERS.get(self.path)
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(answer or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Say nothing."""


def main() -> None:
    """Read what Grafana would read, then serve until it is told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as the first process it would not hear it otherwise
    for name, path in os.environ.items():
        if name.startswith("GF_") and name.endswith("__FILE"):
            assert Path(path).read_text().strip(), f"{name} is empty"
    provisioning = Path(os.environ["GF_PATHS_PROVISIONING"])
    for file in provisioning.glob("datasources/*.yaml"):
        for token in re.findall(r"\$__file\{([^}]*)\}", file.read_text()):
            assert Path(token).read_text().strip(), f"{token} is empty"
    (Path(os.environ["GF_PATHS_DATA"]) / "grafana.db").touch()
    ThreadingHTTPServer(("0.0.0.0", 3000), Health).serve_forever()


if __name__ == "__main__":
    main()
