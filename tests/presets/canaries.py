"""Planted addresses, device ids and tokens, every form in which one could be written, and the search for them.

`log` is an access log that has them wherever a stranger can put them; `leaks` looks through bytes, files and what is
compressed in databases.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import json
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ADDRESSES = (
    "198.51.100.213",
    "203.0.113.231",
    "81.2.69.143",
    "93.184.216.119",
    "2001:db8:4f3a:11::7e5d",
    "2a02:1234:5678:9abc::def1",
)
"""The first two and the first IPv6 are in the sample's table of providers; of the others only whois knows."""

PUBLIC_BASES = ("81.2.69.0", "93.184.216.0", "2a02:1234:5678::")
"""What a whois server may be asked."""

WORDS = {
    "device": "7d0c2c1e-c0ff-4eee-8bad-94a5b6c7d8e9",
    "numeric device": "4815162342108",
    "test": "5eed5eed-0c1d-4e5f-8a9b-cafecafecafe",
    "client": "c11e27c11e27c11e27c11e27c11e27c11e27c11e",
    "session": "5e551017-77aa-4b1c-9d2e-0f1e2d3c4b5a",
    "agent": "CanaryAgent/7.1",
    "referer": "https://canary-referer.example/path",
    "signature": "Y2FuYXJ5LXNpZ25hdHVyZS1jYW5hcnk",
}

_HEAD = "eyJhbGciOiJIUzI1NiJ9"
_WEAK = 4
"""A form of so few bytes is in random bytes, too, now and then."""


@dataclass(frozen=True)
class Leak:
    """Something planted that was found: where, and in which form."""

    where: str
    what: str
    form: bytes


# -- planting --------------------------------------------------------------------------------------------------


def token(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{_HEAD}.{payload}.{WORDS['signature']}"


def record(request: str, second: int, *, time: str = "03/Mar/2026:12:{:02d}:{:02d} GMT", status: int = 200) -> str:
    stamp = time.format(second // 60, second % 60)
    rest = f'{status} 0 "{WORDS["referer"]}" "{WORDS["agent"]}"'
    return f'{WORDS["client"]} - {WORDS["session"]} [{stamp}] "{request}" {rest}\n'


def hello(address: object, device: object, **more: object) -> str:
    data = {"deviceId": device, "guid": WORDS["test"], "ip": address, "model": "M", "app": "a", "version": "1", **more}
    return f"HI {WORDS['test']} {token({'data': data})} WS/1.0"


def requests() -> Iterator[str]:
    """Every place of a request where a canary can stand."""
    for address in ADDRESSES:
        yield hello(address, WORDS["device"])
        yield hello(f"::ffff:{address}" if "." in address else address.upper(), int(WORDS["numeric device"]))
        yield hello(address, WORDS["device"]).replace(" WS/1.0", "\nWS/1.0")
        yield hello(int(ipaddress.ip_address(address)), WORDS["device"])
        yield hello(f" {address}", [WORDS["device"]])
        yield f"GET /download?nocache={address}&guid={WORDS['test']} HTTP/1.1"
    yield f"POST /upload?guid={WORDS['test']} HTTP/1.1"
    yield hello(ADDRESSES[0], WORDS["device"], long=WORDS["device"] * 300)
    yield hello(ADDRESSES[0], WORDS["device"]).replace(WORDS["signature"], "not+base64")
    yield f"HI {WORDS['test']} {_HEAD}.{WORDS['device'].replace('-', '')}.{WORDS['signature']} WS/1.0"


def log() -> bytes:
    """Good records, malformed and foreign ones, times that are none or to come, and an end in mid-record."""
    text = "".join(record(request, second) for second, request in enumerate(requests()))
    secret = f"{ADDRESSES[0]} {WORDS['device']} {WORDS['test']}"
    text += f"# {secret}\n2026-03-03 12:00:01 [W] {secret}\n"
    cut = record(hello(ADDRESSES[4], WORDS["device"]), 70)
    text += cut[: len(cut) // 2] + "\n"
    text += record(hello(ADDRESSES[1], WORDS["device"]), 71, time=f"{ADDRESSES[0]}")
    text += record(hello(ADDRESSES[1], WORDS["device"]), 72, time="03/Mar/2096:12:{:02d}:{:02d} GMT")
    text += record(hello(ADDRESSES[2], WORDS["device"]), 140, status=503)
    text += record(hello(ADDRESSES[3], WORDS["device"]), 141)
    return (text + record(hello(ADDRESSES[5], WORDS["device"]), 142)[:-20]).encode()


# -- searching -------------------------------------------------------------------------------------------------


def forms() -> dict[bytes, str]:
    """Everything to look for, with what it is."""
    found: dict[bytes, str] = {}
    for what, text in [*WORDS.items(), *((address, address) for address in ADDRESSES)]:
        found |= dict.fromkeys(_of_text(text), what)
    for address in ADDRESSES:
        found |= dict.fromkeys(_of_address(address), address)
        payload = token({"data": {"deviceId": WORDS["device"], "guid": WORDS["test"], "ip": address}}).split(".")[1]
        found[payload[:60].encode()] = "token"
    return found


def _of_text(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield from (raw, raw.upper(), json.dumps(text).encode()[1:-1], text.encode("utf-16-le"), raw.replace(b"-", b""))
    yield from (
        raw.hex().encode(),
        raw.hex().upper().encode(),
        raw.replace(b":", b"%3A"),
        raw.replace(b":", b"\\u003a"),
    )
    yield from _base64(raw)
    for name in ("md5", "sha1", "sha256"):  # without a key a hash of an address is the address
        digest = hashlib.new(name, raw).digest()
        yield from (digest[:8], digest[:8][::-1], digest.hex()[:16].encode())


def _of_address(text: str) -> Iterator[bytes]:
    address = ipaddress.ip_address(text)
    packed = address.packed
    yield from (packed, packed[::-1], packed.hex().encode(), packed.hex().upper().encode())
    yield from (str(int(address)).encode(), address.exploded.encode(), address.reverse_pointer.encode())
    if len(packed) > _WEAK:
        yield from _base64(packed)
        yield from (packed[8:], packed[8:][::-1])


def _base64(raw: bytes) -> Iterator[bytes]:
    """As it stands within a longer text that was encoded, at each of the three alignments."""
    for before in range(3):
        whole = (before + len(raw)) // 3 * 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + raw)[(0, 2, 3)[before] : whole]


def leaks(material: Iterable[tuple[str, bytes]]) -> list[Leak]:
    """What of all that is in there; the weak forms count where two of them are in one place."""
    wanted = forms()
    found: list[Leak] = []
    for where, data in material:
        hits = [Leak(where, what, form) for form, what in wanted.items() if form in data]
        strong = [leak for leak in hits if len(leak.form) > _WEAK]
        found += hits if strong or len({leak.what for leak in hits}) > 1 else []
    return found


def everything_in(directory: Path) -> Iterator[tuple[str, bytes]]:
    """All bytes below a directory, and what is compressed in its databases."""
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes()
        if path.suffix == ".db":
            yield from unpacked(path)


def unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """The cells of all tables that are compressed.

    Read in a copy: a process that was killed may have left a journal, and only who may write can roll it back.
    """
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        for one in path.parent.glob(f"{path.name}*"):
            shutil.copy(one, directory)
        database = stack.enter_context(contextlib.closing(sqlite3.connect(Path(directory) / path.name)))
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in database.execute(f'select * from "{table}"'):
                for cell in row:
                    if isinstance(cell, bytes):
                        with contextlib.suppress(zlib.error):  # most cells are not compressed
                            yield f"{path.name}:{table}", zlib.decompressobj(47).decompress(cell)
