"""A map of the world out of Grafana's own files: neither the outlines nor the places come from anybody else."""

from __future__ import annotations

from typing import Any

from dashboards.model import Json, Panel

_OUTLINES: dict[str, Json] = {
    "type": "geojson",
    "name": "Countries",
    "config": {
        "src": "public/maps/countries.geojson",
        "rules": [],
        "style": {"color": {"fixed": "text"}, "opacity": 0.15, "lineWidth": 1},
    },
}


def countries(*, code: str, value: str, **panel: Any) -> Panel:
    """A circle on each country, as large as its value.

    Args:
        code: Label that has the ISO code.
        value: What the values are called.
        panel: As for every panel; its query is a table.
    """
    circles: dict[str, Json] = {
        "type": "markers",
        "name": value,
        "location": {"mode": "lookup", "lookup": code, "gazetteer": "public/gazetteer/countries.json"},
        "tooltip": True,
        "config": {
            "showLegend": False,
            "style": {
                "size": {"field": value, "fixed": 5, "min": 4, "max": 28},
                "color": {"fixed": "blue"},
                "opacity": 0.6,
                "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
                "text": {"mode": "field", "field": code, "fixed": ""},
            },
        },
    }
    options: dict[str, Json] = {
        "view": {"id": "zero", "lat": 20, "lon": 0, "zoom": 1.6, "allLayers": True},
        "controls": {"showZoom": True, "mouseWheelZoom": False, "showAttribution": False},
        "tooltip": {"mode": "details"},
        "basemap": _OUTLINES,
        "layers": [circles],
    }
    shown: list[dict[str, Json]] = [
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": {"Value": value}}}
    ]
    return Panel(kind="geomap", options=options, transformations=shown, unit="short", decimals=0, **panel)
