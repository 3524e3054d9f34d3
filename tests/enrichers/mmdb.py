"""A small writer of MaxMind DB files, after the public description of the format."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Mapping
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
BUILT = 1_772_539_200

_TREE = list[Any]


def asn(number: int | None, name: str | None = None) -> dict[str, Any]:
    """A record as GeoLite2-ASN has them."""
    record = {"autonomous_system_number": number, "autonomous_system_organization": name}
    return {key: value for key, value in record.items() if value is not None}


def city(
    country: str | None = None,
    region: str | None = None,
    name: str | None = None,
    at: tuple[float, float] | None = None,
    **names: str,
) -> dict[str, Any]:
    """A record as GeoLite2-City has them; `names` are those of the region in other languages."""
    record: dict[str, Any] = {"registered_country": {"iso_code": "ZZ"}}
    if country is not None:
        record["country"] = {"iso_code": country, "names": {"en": f"Country {country}"}}
    if region is not None:
        record["subdivisions"] = [{"iso_code": "R1", "names": {"en": region, **names}}, {"names": {"en": "District"}}]
    if name is not None:
        record["city"] = {"names": {"en": name}}
    if at is not None:
        record["location"] = {"latitude": at[0], "longitude": at[1], "accuracy_radius": ("u16", 20)}
    return record


def database(
    networks: Iterable[tuple[str, Any]],
    *,
    kind: str = "GeoLite2-ASN",
    version: int = 6,
    record_size: int = 24,
    built: int = BUILT,
) -> bytes:
    """The bytes of a database; a network that lies within an earlier one takes its place."""
    root: _TREE = [None, None]
    for text, record in networks:
        network = ipaddress.ip_network(text)
        path = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
        _insert(root, ("0" * 96 if version == 6 and network.version == 4 else "") + path, record)
    nodes, tree = _numbered(root), bytearray()
    data, places = bytearray(), dict[str, int]()
    for left, right in nodes:
        pointers = [_pointer(side, nodes, data, places) for side in (left, right)]
        tree += _node(pointers[0], pointers[1], record_size)
    metadata = {
        "binary_format_major_version": ("u16", 2),
        "binary_format_minor_version": ("u16", 0),
        "build_epoch": ("u64", built),
        "database_type": kind,
        "description": {"en": "for tests"},
        "ip_version": ("u16", version),
        "languages": ["en"],
        "node_count": ("u32", len(nodes)),
        "record_size": ("u16", record_size),
    }
    return bytes(tree) + bytes(16) + bytes(data) + MARKER + _encoded(metadata)


def _insert(node: _TREE, path: str, record: Any) -> None:
    for bit in map(int, path[:-1]):
        if not isinstance(node[bit], list):
            node[bit] = [node[bit], node[bit]]
        node = node[bit]
    node[int(path[-1])] = record


class _Nodes(list[_TREE]):
    """The nodes of a tree in the order of their numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[int, int] = {}


def _numbered(root: _TREE) -> _Nodes:
    nodes = _Nodes()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        nodes.numbers[id(node)] = len(nodes)
        nodes.append(node)
        waiting += [side for side in node if isinstance(side, list)]
    return nodes


def _pointer(side: Any, nodes: _Nodes, data: bytearray, places: dict[str, int]) -> int:
    if isinstance(side, list):
        return nodes.numbers[id(side)]
    if side is None:
        return len(nodes)
    key = repr(side)
    if key not in places:
        places[key] = len(data)
        data += _encoded(side)
    return len(nodes) + 16 + places[key]


def _node(left: int, right: int, size: int) -> bytes:
    if size == 28:
        middle = left >> 24 << 4 | right >> 24
        return (left & 0xFFFFFF).to_bytes(3, "big") + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3, "big")
    return left.to_bytes(size // 8, "big") + right.to_bytes(size // 8, "big")


_KINDS = {"u16": 5, "u32": 6, "u64": 9}


def _encoded(value: Any) -> bytes:
    if isinstance(value, Mapping):
        return _head(7, len(value)) + b"".join(_encoded(key) + _encoded(below) for key, below in value.items())
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(map(_encoded, value))
    if isinstance(value, str):
        return _head(2, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return _head(3, 8) + struct.pack(">d", value)
    kind: str
    number: int
    kind, number = value if isinstance(value, tuple) else ("u32", value)
    payload = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return _head(_KINDS[kind], len(payload)) + payload


def _head(kind: int, size: int) -> bytes:
    """Control byte, byte of an extended kind, and the size where it does not fit."""
    low, more = size, b""
    if size >= 285:
        low, more = 30, (size - 285).to_bytes(2, "big")
    elif size >= 29:
        low, more = 29, bytes([size - 29])
    return (bytes([kind << 5 | low]) if kind <= 7 else bytes([low, kind - 7])) + more
