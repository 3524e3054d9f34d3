"""A reader of line protocol that follows InfluxDB's own scanner (models/points.go), byte by byte."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    measurement: str
    tags: dict[str, str]
    fields: dict[str, int | float | str]
    time: int


def read(text: str) -> list[Line]:
    return [_line(line) for line in text.split("\n") if line]


def _line(line: str) -> Line:
    assert not line.startswith("#"), "a comment"
    series, rest = _until(line, " ")
    fields, time = _fields(rest)
    measurement, tags = _until(series, ",") if _find(series, ",") >= 0 else (series, "")
    return Line(_plain(measurement), _tags(tags), fields, int(time))


def _find(text: str, stops: str, start: int = 0) -> int:
    """The scanner looks at the byte before: a stop behind a backslash is none, however many there are."""
    for index in range(max(start, 1), len(text)):
        if text[index] in stops and text[index - 1] != "\\":
            return index
    return -1


def _until(text: str, stop: str) -> tuple[str, str]:
    index = _find(text, stop)
    assert index > 0, f"no {stop!r} in {text!r}"
    return text[:index], text[index + 1 :]


def _tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    while text:
        key, text = _until(text, "=")
        end = _find(text, ",=")
        value, text = (text, "") if end < 0 else (text[:end], text[end + 1 :])
        assert value, "an empty tag"
        assert _plain(key) not in tags, "a tag twice"
        tags[_plain(key)] = _plain(value)
    return tags


def _fields(text: str) -> tuple[dict[str, int | float | str], str]:
    """Here a backslash skips the byte behind it, whatever that is."""
    fields: dict[str, int | float | str] = {}
    while True:
        end = _skip(text, "=")
        key, text = text[:end], text[end + 1 :]
        value, text = _field_value(text)
        assert _plain(key) not in fields, "a field twice"
        fields[_plain(key)] = value
        stop, text = text[0], text[1:]
        if stop == " ":
            return fields, text
        assert stop == ","


def _skip(text: str, stops: str) -> int:
    index = 0
    while text[index] not in stops:
        index += 2 if text[index] == "\\" else 1
    return index


def _field_value(text: str) -> tuple[int | float | str, str]:
    if text[0] == '"':
        end = 1 + _skip(text[1:], '"')
        return text[1:end].replace('\\"', '"').replace("\\\\", "\\"), text[end + 1 :]
    end = _skip(text, ", ")
    value = text[:end]
    return (int(value[:-1]) if value.endswith("i") else float(value)), text[end:]


def _plain(text: str) -> str:
    for escaped in ",= ":
        text = text.replace("\\" + escaped, escaped)
    return text
