"""A stand-in for Grafana's program: reads secrets and provisioning as it does, then answers at /api/health.

It ends at once where Grafana would: a secret that is not there, a token file of a data source that cannot be read.
"""

from __future__ import annotations

import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Health(BaseHTTPRequestHandler):
    """Says `ok` and nothing else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()
        self.wfile.write(b'{"database": "ok"}\n')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Say nothing."""


def main() -> None:
    """Read what Grafana would read, then serve."""
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
