from __future__ import annotations

from pathlib import Path

import pytest

from pegel.config import Checked, check

SOURCE = """
[[sources]]
name = "shop"
type = "config.parts:Tail"
path = "/var/log/shop.log"
format.type = "config.parts:Words"
format.columns = { time = "VARCHAR", page = "VARCHAR", client = "VARCHAR", bytes = "BIGINT" }
time = { column = "time", format = "iso8601" }
private = ["client"]
"""

METRIC = """
[[metrics]]
name = "shop_requests"
every = "1m"
labels = ["page"]
values.total = "count(*)"
"""


BUCKET = {"S3_BUCKET": "real-time-logs-example", "S3_ACCESS_KEY": "canary", "S3_SECRET_KEY": "canary"}
"""What the preset `cdn77` cannot do without: nobody can guess the name of a bucket, nor a key to it."""


class Folder:
    """A directory with configuration files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ: dict[str, str] = {"HOSTNAME": "st-01", **BUCKET}

    def write(self, text: str, name: str = "config.toml") -> Path:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def check(self, text: str) -> Checked:
        return check(self.write(text), self.environ)

    def problems(self, text: str) -> list[str]:
        """Problems without the directory, in order."""
        return [str(problem).replace(f"{self.path}/", "") for problem in self.check(text).problems]

    def warnings(self, text: str) -> list[str]:
        checked = self.check(text)
        assert checked.problems == []
        return [str(problem).replace(f"{self.path}/", "") for problem in checked.warnings]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
