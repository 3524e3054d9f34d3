"""The fast way to find fields against the expression that defines them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.formats import End
from pegel.formats.framing import Judge, cut
from pegel.formats.plain import Matched, Matcher
from pegel.formats.template import Template

OOKLA = '{client:hex(40)} - {session} [{time}] "{request}" {status:int} {size:int} "{referer}" "{agent}"'
TEMPLATES = {
    OOKLA: None,
    '{client} - {session} [{time}] "{request}" {status:int} {size:int} "{referer}" "{agent}"': None,
    '{client} {ident} {user} [{time}] "{method} {path} {protocol}" {status:int} {bytes:int} "{agent}"': "-",
    "{a}|{b:float}|{c:hex}|{d}": "-",
    "{a} {b:int} {c:float}": None,
    "level={level} msg={msg} took={took:float}ms": None,
    "{a}; {b}; {} {c:hex(8)} {d}": None,
    "<{a}><{b}>{c:int}": "",
    "{a:float}e{b}": None,
    '"{a}" "{b}" "{c}" {d}': None,
}
NEVER = Judge(lambda _: False, lambda _: False)
FILLER = b"\n" + b"filler that makes the lines before it end well before the end of the piece " * 4


def both(template: str, lines: list[bytes]) -> tuple[Matched, Matched, int]:
    """What the fast way and the definition make of some lines, and how many were plain."""
    matcher = Matcher(Template(template, TEMPLATES[template]))
    each: list[int] = []
    slow = matcher.match_each

    def counted(records, spans, rows):  # type: ignore[no-untyped-def]
        each.append(len(rows))
        return slow(records, spans, rows)

    matcher.match_each = counted  # type: ignore[method-assign]
    found = cut(b"\n".join(lines) + FILLER, End.FINAL, "", (), 2**16, NEVER, [matcher.anchor] if matcher.anchor else [])
    fast = matcher.match(found.lines, found.marks)
    empty = [(np.zeros(len(found.lines), np.int64), np.zeros(len(found.lines), np.int64)) for _ in fast.spans]
    return fast, slow(found.lines, empty, np.arange(len(found.lines))), len(found.lines) - sum(each)


def assert_same(fast: Matched, slow: Matched) -> None:
    assert (fast.failed is None) == (slow.failed is None)
    if fast.failed is not None and slow.failed is not None:
        assert fast.failed.tolist() == slow.failed.tolist()
    for mine, theirs in zip(fast.spans, slow.spans, strict=True):
        assert mine[0].tolist() == theirs[0].tolist()
        assert mine[1].tolist() == theirs[1].tolist()


PARTS = st.sampled_from(
    [
        ("0123456789abcdef" * 3)[:40], " - ", " ", "-", "[", "] ", "]", '"', '" "', '" ', "1", "200", "7" * 18,
        "7" * 19, "9" * 20, "1.5", "1e5", ".", "é", "|", "level=", " msg=", " took=", "ms", "; ", ";", "<", ">", "><",
        "x" * 70, "\r", "\t", "\x85", "G", "-5",
    ]
)  # fmt: skip


@st.composite
def near(draw: st.DrawFn, template: str) -> str:
    """A line that the template could have written, bent in up to three places."""
    shaped = Template(template)
    text = shaped.literals[0].decode()
    for field, literal in zip(shaped.fields, shaped.literals[1:], strict=True):
        if field.type == "hex":
            text += draw(st.text("0123456789abcdefA", min_size=field.width or 1, max_size=field.width or 66))
        elif field.type:
            text += draw(st.sampled_from(["0", "200", "-", "-1", "7" * 18, "1.25", "2e3", "9" * 19, "3.", "1..2"]))
        else:
            text += draw(st.one_of(st.sampled_from(["", "-", "GET /x HTTP/1.1", "y" * 100]), PARTS))
        text += literal.decode()
    for _ in range(draw(st.integers(0, 3)) if draw(st.booleans()) else 0):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(PARTS) + text[place + draw(st.integers(0, 2)) :]
    return text.replace("\n", "")


@pytest.mark.parametrize("template", TEMPLATES)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_the_fast_way_finds_what_the_definition_finds(template: str, data: st.DataObject) -> None:
    """The whole speed of the format rests on this equality; it holds for any lines, not for good ones."""
    line = st.one_of(near(template), st.lists(PARTS, max_size=25).map("".join))
    lines = data.draw(st.lists(line.map(str.encode), min_size=1, max_size=8))
    fast, slow, _ = both(template, lines)
    assert_same(fast, slow)


GOOD = {
    OOKLA: b'ef62e29e56647db72d4cd297b9f3889434979d43 - 5c1f0a9e-77aa [03/Mar/2026:12:00:01 GMT] "GET /hello?n=1" '
    b'200 43 "https://www.speedtest.net/" "Mozilla/5.0 (X11) "quoted" end"',
    '{client} {ident} {user} [{time}] "{method} {path} {protocol}" {status:int} {bytes:int} "{agent}"': b"192.0.2.1 - "
    b'- [03/Mar/2026:12:00:01 +0000] "GET /' + b"long/" * 50 + b' HTTP/1.1" 200 - "Mozilla/5.0 (X11)"',
    "{a}|{b:float}|{c:hex}|{d}": b"some text|12.50|00ffAA|rest | of it",
    "{a} {b:int} {c:float}": b"word 12 0.5",
    "level={level} msg={msg} took={took:float}ms": b"level=info msg=hello took=12.5ms",
    "{a}; {b}; {} {c:hex(8)} {d}": b"a b; c d; x 0123abcd rest",
    '"{a}" "{b}" "{c}" {d}': b'"x" "y y" "" rest',
}
TRICKY = {
    OOKLA: [
        b'- s] "x" 200 1 "" "b [t] "r" 200 1 "" "a"',
        b'- s] "s [t] "r" 200 1 "" "a"',
        b'- s"s [t] "r" 200 1 "" "a"',
        b'- s [t] "r" 200 1 "a"',
        b'- s [t "r" 200 1 "" "a"',
    ],
    "{a:float}e{b}": [b"1e5", b"1e5e6", b"1.5ex", b"1.", b"1.2.3e4", b"1e5x"],
    "{a} {b:int} {c:float}": [b"x -5 1", b"x 5 -1", b"x  5 1", b"x 5 1 "],
    "{a}|{b:float}|{c:hex}|{d}": [b"x|-|-|y", b"x|-1|ff|y", b"x|-|-5|y", b"||||", b"x|1|-|"],
}


@pytest.mark.parametrize("template", GOOD)
def test_good_lines_are_plain(template: str) -> None:
    """Otherwise the equality above would hold because the fast way is never taken."""
    fast, slow, plain = both(template, [GOOD[template]] * 50)
    assert_same(fast, slow)
    assert plain == 50


@pytest.mark.parametrize("template", TRICKY)
def test_lines_that_look_plain_are_not_taken_for_it(template: str) -> None:
    """Each has its separators in a place where a quick look would cut the wrong field."""
    start = b"0" * 40 + b" " if template == OOKLA else b""
    assert_same(*both(template, [start + line for line in TRICKY[template]] * 2)[:2])


def test_a_line_that_is_odd_leaves_the_others_plain() -> None:
    odd = GOOD[OOKLA].replace(b"GET /hello", b'GET "hello')
    fast, slow, plain = both(OOKLA, [GOOD[OOKLA], odd, GOOD[OOKLA]] * 10)
    assert_same(fast, slow)
    assert plain == 20
    assert fast.failed is not None  # the filler
    assert int(fast.failed.sum()) == 1
