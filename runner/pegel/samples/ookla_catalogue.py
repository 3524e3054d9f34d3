"""What an invented speed-test server sees: device models, apps, browsers, requests without meaning.

Model and browser names are public facts; ids, addresses and shares are made up. The shares only have to look
like a real server's: few models have most of the tests.
"""

from __future__ import annotations

ANDROID_MODELS = {
    "SM-A546B": 61,
    "SM-S918B": 58,
    "SM-G990B": 51,
    "SM-A155F": 44,
    "SM-A346B": 40,
    "SM-S921B": 38,
    "SM-S911B": 36,
    "SM-A256B": 31,
    "SM-G781B": 28,
    "SM-A525F": 26,
    "SM-A137F": 24,
    "SM-S901B": 22,
    "Pixel 8": 21,
    "Pixel 7a": 19,
    "Pixel 8 Pro": 17,
    "Pixel 6": 14,
    "Pixel 9": 12,
    "2201117TY": 20,
    "23021RAA2Y": 19,
    "23117RA68G": 17,
    "22101316G": 15,
    "2312DRA50G": 14,
    "M2101K6G": 12,
    "21091116AG": 10,
    "CPH2483": 13,
    "CPH2581": 11,
    "CPH2399": 9,
    "RMX3710": 11,
    "RMX3830": 8,
    "V2250": 7,
    "motorola edge 40": 9,
    "moto g54 5G": 9,
    "moto g84 5G": 7,
    "XQ-DQ54": 4,
    "XQ-CC54": 3,
    "NE2213": 4,
    "LE2113": 3,
    "ANE-LX1": 5,
    "VOG-L29": 4,
    "ELS-NX9": 3,
    "Nokia G42 5G": 2,
    "TECNO KI7": 3,
    "Infinix X6833B": 2,
    "SM-X200": 5,
    "SM-T500": 4,
    "Lenovo TB310FU": 2,
    "Übungsgerät 3": 1,
}

APPLE_MODELS = {
    "iPhone15,2": 55,
    "iPhone14,5": 52,
    "iPhone15,4": 47,
    "iPhone16,1": 44,
    "iPhone17,3": 39,
    "iPhone13,2": 33,
    "iPhone16,2": 31,
    "iPhone12,1": 29,
    "iPhone14,7": 21,
    "iPhone12,8": 12,
    "iPad13,1": 9,
    "iPad13,18": 7,
    "iPad11,6": 5,
}

APPS = {
    ("android", "5.4.2"): 240,
    ("android", "5.4.1"): 110,
    ("android", "5.3.9"): 46,
    ("android", "5.3.2"): 21,
    ("android", "5.2.0"): 9,
    ("android", "4.8.3"): 4,
    ("ios", "6.1.0"): 170,
    ("ios", "6.0.4"): 83,
    ("ios", "5.9.1"): 31,
    ("ios", "5.7.0"): 8,
    ("web", "26.2.1"): 140,
    ("web", "26.1.3"): 60,
    ("web", "25.11.0"): 12,
    ("windows", "1.19.208"): 22,
    ("windows", "1.18.194"): 7,
    ("mac", "1.8.11"): 13,
    ("appletv", "2.3.0"): 5,
    ("androidtv", "2.1.4"): 6,
    ("cli", "1.2.0.84"): 11,
    ("cli", "1.1.1.28"): 4,
}

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0"
_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.2"

BROWSERS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/145.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:147.0) Gecko/20100101 Firefox/147.0",
    f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME} Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1",
)

WEB_REFERERS = (
    *["https://www.speedtest.net/"] * 20,
    *["https://speed.isp.example/"] * 8,
    *["https://test.fibre.example/run"] * 4,
    "https://test.fibre.example/?from=GET /download?guid=00000000-0000-4000-8000-000000000002 HTTP/1.1",
)

LEGACY_REQUESTS = (
    "GET /speedtest/latency.txt?x={number} HTTP/1.1",
    "POST /speedtest/upload.php?x=0.{number} HTTP/1.1",
    "GET /speedtest/random350x350.jpg?x={number} HTTP/1.1",
    "GET /speedtest/random1000x1000.jpg?x={number} HTTP/1.1",
    "GET /speedtest/random4000x4000.jpg?x={number} HTTP/1.1",
)

OTHER_REQUESTS = (
    "GET /hi?nocache={uuid} HTTP/1.1",
    "GET /favicon.ico HTTP/1.1",
    "GET /download?guid={guid}&size=250 HTTP/1.1",
    "GET /download?size=250&guid={guid}",
    "GET /download?nocache={uuid}&size=250 HTTP/1.1",
    "GET /download?nocache={uuid}&size=250&guid=short HTTP/1.1",
    "GET /download?nocache={uuid}&guid={guid}0 HTTP/1.1",
    "GET /download?nocache={uuid}&otherguid={guid} HTTP/1.1",
    "GET /downloads?guid={guid} HTTP/1.1",
    "POST /download?guid={guid} HTTP/1.1",
    "GET /upload?guid={guid} HTTP/1.1",
    "POST /upload?nocache={uuid} HTTP/1.1",
    "OPTIONS /upload?nocache={uuid}&guid={guid} HTTP/1.1",
    "PING {number} WS/1.0",
    "DOWNLOAD 25000000 WS/1.0",
    "UPLOAD 400000 0 WS/1.0",
    "GET / HTTP/1.0",
    "",
)

TRICKY_AGENTS = (
    'Mozilla/5.0 (Linux; Android 13; "Tab 7" Build/TP1A) AppleWebKit/537.36',
    'Agent "quoted" and " 500 0 " inside',
    'Probe GET /download?guid=00000000-0000-4000-8000-000000000000 HTTP/1.1" 503 0 "" "nested',
    "HI 00000000-0000-4000-8000-000000000001 e30.e30.AA WS/1.0",
    'ends with a quote"',
    "Agent/1.0 (ünïcode; 速度)",
    "",
)

FOREIGN_LINES = (
    b"# Log file created/rotated 2026-03-03 12:00:00\n",
    b"2026-03-03 12:00:01.218 [731 - 12] [W] connection reset by peer\n",
    b"   at Poco::Net::HTTPServerConnection::run()\n",
    b"EF62E29E56647DB72D4CD297B9F3889434979D43 - upper case digits open no record\n",
)
