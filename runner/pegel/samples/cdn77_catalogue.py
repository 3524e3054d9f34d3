"""What an invented CDN delivers, where and to whom: locations, providers, agents, paths.

Names of places and programs are public facts; addresses, numbers and shares are made up.
"""

from __future__ import annotations

LOCATIONS = {
    "DE": ("frankfurtDEHE", "berlinDEBE"),
    "US": ("losangelesUSCA", "newyorkUSNY", "dallasUSTX"),
    "JP": ("tokyoJPTY",),
    "GB": ("londonGBEN",),
    "BR": ("saopauloBRSP",),
}
"""Edges near a country."""

COUNTRIES = {"US": 46, "DE": 22, "GB": 14, "JP": 8, "BR": 6, "XX": 2, "": 1}
"""Shares of viewers; the log has no country for some."""

REGIONS = (
    ("US", "California", "Los Angeles", 34.05, -118.25),
    ("DE", "Hesse", "Frankfurt am Main", 50.11, 8.68),
    ("GB", "England", "London", 51.51, -0.13),
    ("US", "Texas", "Dallas", 32.78, -96.8),
    ("JP", "Tokyo", "Tokyo", 35.69, 139.69),
    ("BR", "São Paulo", "São Paulo", -23.55, -46.63),
)
"""What the sample's database of places says of one network after another."""

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36"
_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{v}"

AGENTS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME}": 22,
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0": 6,
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15": 9,
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1": 8,
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Edg/{{v}}.0.0.0": 4,
    "Roku/DVP-14.{v} (14.{v}.4.3064-29)": 12,
    "Roku4640X/DVP-7.{v} (297.{v}E04156A)": 3,
    "AppleCoreMedia/1.0.0.22K{v} (Apple TV; U; CPU OS 18_2 like Mac OS X; en_us)": 9,
    "AppleTV11,1/11.{v}": 2,
    "Virtual%20Railfan/{v} CFNetwork/1568.300.101 Darwin/24.2.0 (tvOS)": 3,
    "Dalvik/2.1.0 (Linux; U; Android 9; AFTKA Build/PS76{v}.3413N) ExoPlayerLib/2.19.1": 8,
    "Mozilla/5.0 (Linux; Android 7.1; Amazon Fire Stick) AppleWebKit/537.36 Silk/{v}.3 like Chrome/{v}.0.0.0": 2,
    "Baron/{v} (com.example.baron; build:41; iOS 18.2.0) Alamofire/5.9.1": 5,
    "Baron%20Weather/{v} (iPad; iOS 17.5)": 1,
    "BaronPlayer/{v} (Linux; Android 14; Pixel 8; Mobile) ExoPlayerLib/2.19.1": 4,
    "ExoPlayerDemo/{v} (Linux; Android TV 12; BRAVIA 4K VH2) ExoPlayerLib/2.19.1": 4,
    "Mozilla/5.0 (Linux; Android 12; Chromecast) AppleWebKit/537.36 CrKey/1.56.{v} Android TV DeviceType/AndroidTV": 2,
    "VLC/3.0.{v} LibVLC/3.0.{v}": 2,
    "Aircraft-Monitor/{v}": 1,
    'Player "quoted" \\ {v} (ünïcode; 速度)': 1,
    "": 1,
}
"""User agents with their shares; `{v}` is a number of a version."""

FILES = (
    ("tracks-v3/live.fmp4.m3u8", "application/vnd.apple.mpegurl", 30),
    ("tracks-v1a1/mono.m3u8", "application/vnd.apple.mpegurl", 10),
    ("tracks-v3/segment-{n}.m4s", "video/iso.segment", 40),
    ("tracks-a1/segment-{n}.m4s", "audio/mp4", 16),
    ("index.m3u8", "application/vnd.apple.mpegurl", 3),
    ("preview-{n}.jpg", "image/jpeg", 1),
)
"""What is below a stream's path, its type and its share."""

STRAY_PATHS = (
    "/favicon.ico",
    "/robots.txt",
    "/",
    "/live/index.m3u8?stream=/{stream}/",
    "/{STREAM}/index.m3u8",
    "/{stream}0/index.m3u8",
    "/{stream}",
    "/vod/{stream}/index.m3u8?token=/ffffffffffffffffffffffffffffffff/",
)
"""Paths that have no stream, and one that has it elsewhere."""

CACHE = {"HIT": 880, "MISS": 90, "EXPIRED": 25, "": 5}
STATUSES = {200: 930, 206: 30, 304: 15, 404: 12, 403: 6, 499: 3, 502: 2, 503: 2}

BROKEN_LINES = (
    b'{"timestamp":"2026-03-03T12:00:3',
    b"[1, 2, 3]",
    b'"a text"',
    b"17",
    b"null",
    b"<html>503 Service Unavailable</html>",
    b"}{",
    b'{"timestamp":}',
)
"""Lines that are no row."""

UNREADABLE_TIMES: tuple[object, ...] = (
    None,
    "",
    "yesterday",
    "2026-13-03T12:00:00Z",
    "2026-03-03T25:00:00.000Z",
    0,
    [],
)
"""Time stamps that nobody can read; a row with one of them is no row either."""
