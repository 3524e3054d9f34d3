"""A strict reader of the Prometheus text format 0.0.4: it refuses what a server would refuse."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"')

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Exposition:
    types: dict[str, str] = field(default_factory=dict)
    helps: dict[str, str] = field(default_factory=dict)
    samples: dict[Key, float] = field(default_factory=dict)


def read(text: str) -> Exposition:
    found = Exposition()
    family, closed = "", set[str]()
    for line in text.split("\n")[:-1]:
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert _NAME.fullmatch(name)
            known = found.types if word == "TYPE" else found.helps
            assert name not in known, f"{word} of {name} twice"
            known[name] = rest
            if name != family:
                assert name not in closed, f"{name} is not in one piece"
                closed.add(family)
                family = name
        else:
            key, value = _sample(line)
            suffix = key[0].removeprefix(family)
            histogram = found.types[family] == "histogram"
            assert suffix in (("_bucket", "_sum", "_count") if histogram else ("",)), f"{key[0]} under {family}"
            assert key not in found.samples, f"{key} twice"
            found.samples[key] = value
    return found


def _sample(line: str) -> tuple[Key, float]:
    name = _NAME.match(line)
    assert name, line
    at, labels = name.end(), []
    if line[at] == "{":
        at += 1
        while line[at] != "}":
            label = _LABEL.match(line, at)
            assert label, line[at:]
            labels.append((label[1], re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label[2])))
            at = label.end() + (line[label.end()] == ",")
        at += 1
    assert line[at] == " "
    assert len({key for key, _ in labels}) == len(labels), f"a label twice in {line}"
    return (name[0], tuple(labels)), float(line[at + 1 :])
