"""The database of places that comes with the sample of the preset `cdn77`: invented, and small.

python tests/presets/cdn77_places.py     writes presets/samples/cdn77/city.mmdb
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from enrichers.mmdb import city, database
from pegel.samples.cdn77_catalogue import REGIONS

FILE = Path(__file__).parents[2] / "runner" / "pegel" / "presets" / "samples" / "cdn77" / "city.mmdb"


def networks() -> Iterator[tuple[str, str, str, str, float, float]]:
    """Networks one after another with their places; some are missing, and one has no region."""
    for number, network in enumerate(ip_network("198.18.0.0/15").subnets(new_prefix=20)):
        if number % 7 != 3:
            yield (str(network), *REGIONS[number % len(REGIONS)])
    for number, network in enumerate(ip_network("2001:db8::/32").subnets(new_prefix=36)):
        if number % 5 != 4:
            yield (str(network), *REGIONS[number % len(REGIONS)])
    yield ("192.0.2.0/24", "DE", "", "", 51.0, 9.0)


NETWORKS = list(networks())


def content() -> bytes:
    """The bytes of the database."""
    records = [
        (network, city(country, region or None, name or None, (latitude, longitude)))
        for network, country, region, name, latitude, longitude in NETWORKS
    ]
    return database(records, kind="GeoLite2-City")


if __name__ == "__main__":
    FILE.write_bytes(content())
