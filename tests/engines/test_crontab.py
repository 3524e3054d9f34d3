"""Who comes from the script changes the command in the crontab, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from engines.influxdb import ORG, Bucket
from engines.job import RUNNER, differences
from presets import ookla_oracle as oracle
from presets.ookla_run import keyed


def test_the_variables_of_the_script_and_a_new_configuration_are_all_it_takes(tmp_path: Path, bucket: Bucket) -> None:
    """The log is elsewhere here, and the sample has its own providers; the rest is as `pegel init` writes it."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(RUNNER),
        "INFLUX_URL": f"{bucket.server.url}/",
        "INFLUX_ORG": ORG,
        "INFLUX_BUCKET": bucket.name,
        "INFLUX_TOKEN": bucket.write_only.text,
        "SERVER_TAG": "st-01",
    }

    def pegel(*words: str) -> None:
        command = [sys.executable, "-c", "from pegel.cli import main; main()", *words]
        subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=60, capture_output=True)

    pegel("init", "--preset", "ookla")
    config = tmp_path / "config.toml"
    text = config.read_text(encoding="utf-8")
    for line, value in (
        ('# path = "/opt/ookla/ooklaserver-access.log"', f'path = "{oracle.SAMPLE / oracle.LIVE}"'),
        (
            '# enrichers.asn.files = ["/var/lib/pegel/ip2asn-combined.tsv.gz"]',
            f'enrichers.asn.files = ["{oracle.PROVIDERS}"]',
        ),
    ):
        assert line in text
        text = text.replace(line, value)
    config.write_text(text, encoding="utf-8")
    pegel("check", "--connect")
    for _ in range(2):
        pegel("run", "--once", "--close", "--patience", "50s")
    golden = keyed(oracle.GOLDEN.read_text(encoding="utf-8"))
    assert differences(bucket.points(), golden) == []
