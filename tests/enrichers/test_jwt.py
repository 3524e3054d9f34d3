from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrichers import plain_token
from enrichers.plain_token import encode, token
from enrichers.rows import enriched
from pegel.enrichers.jwt import Jwt
from pegel.sql import ExpressionError

PATHS = {"device": "data.id", "model": "data.model", "top": "top", "deep": "data.more.x"}


def jwt(**options: Any) -> Jwt:
    return Jwt(**{"column": "token", "unverified": PATHS, "readable": "ok", **options})


def read(*tokens: str | None) -> list[tuple[bool | None, dict[str, str | None]]]:
    added = enriched(jwt(), {"token": tokens})
    return [
        (added["ok"][row], {name: added[name][row] for name in PATHS if added[name][row] is not None})
        for row in range(len(tokens))
    ]


def one(payload: object) -> tuple[bool | None, dict[str, str | None]]:
    (found,) = read(token(payload))
    return found


UNREADABLE: tuple[bool | None, dict[str, str | None]] = (False, {})


def test_values_are_found_by_their_paths() -> None:
    payload = {"data": {"id": "d-1", "model": "SM-G990B", "more": {"x": "y"}}, "top": 7}
    assert one(payload) == (True, {"device": "d-1", "model": "SM-G990B", "deep": "y", "top": "7"})


def test_no_token_is_neither_readable_nor_unreadable() -> None:
    """A request of another kind must not count as one with a bad token."""
    assert read(None, "", token({"top": "x"})) == [(None, {}), (None, {}), (True, {"top": "x"})]


def test_a_readable_token_may_lack_every_value() -> None:
    assert one({"iat": 1}) == (True, {})
    assert one({"data": "text"}) == (True, {})


@pytest.mark.parametrize("payload", [[1, 2], "data", 7, None, True])
def test_a_payload_that_is_no_object_is_not_readable(payload: object) -> None:
    assert one(payload) == UNREADABLE


def test_only_strings_and_integers_are_values() -> None:
    """`true` or `{}` as a device model would be a text that nobody wrote."""
    data = {"id": True, "model": ["x"], "more": {"x": None}}
    assert one({"data": data, "top": 5.5}) == (True, {})
    assert one({"data": {"id": 0, "model": "", "more": {"x": -12}}, "top": {"y": 1}}) == (
        True,
        {"device": "0", "model": "", "deep": "-12"},
    )


def test_integers_have_64_bits() -> None:
    assert one({"top": 2**64 - 1}) == (True, {"top": "18446744073709551615"})
    assert one({"top": 2**64}) == (True, {})
    assert one(b'{"top":' + b"9" * 3000 + b"}") == (True, {})


@pytest.mark.parametrize("length", range(40, 48))
def test_every_length_of_payload_is_decoded_without_padding(length: int) -> None:
    payload = json.dumps({"top": "x" * length}).encode()
    assert one(payload) == (True, {"top": "x" * length})


def test_text_beyond_ascii_is_utf8_and_the_url_alphabet_is_read() -> None:
    """Such a payload has `-` and `_` where plain base64 has `+` and `/`."""
    text = "Übungsgerät 速度 ~?>"
    payload = json.dumps({"top": text}, ensure_ascii=False).encode()
    assert {"-", "_"} & set(encode(payload))
    assert one(payload) == (True, {"top": text})


@pytest.mark.parametrize("sign", ["+", "/", "=", "!", " ", "é", "\n", "%", "\0"])
def test_one_foreign_character_in_the_payload_makes_it_unreadable(sign: str) -> None:
    """Python's decoder drops such characters silently; two tokens would then say the same."""
    header, payload, signature = token({"top": "x"}).split(".")
    for place in (0, 5, len(payload)):
        broken = f"{header}.{payload[:place]}{sign}{payload[place:]}.{signature}"
        assert read(broken) == [UNREADABLE]


@pytest.mark.parametrize("text", ["x", "xx", "xxx"])
def test_padding_is_refused(text: str) -> None:
    header, payload, signature = token({"top": text}).split(".")
    for padding in ("=", "=="):
        assert read(f"{header}.{payload}{padding}.{signature}") == [UNREADABLE]


@pytest.mark.parametrize(("url", "plain"), [("-", "+"), ("_", "/")])
def test_the_plain_alphabet_of_base64_is_refused(url: str, plain: str) -> None:
    """It decodes to the same bytes, and would be a second token that says the same."""
    good = token(json.dumps({"top": "Ü ~?>~~ÿ>>>???"}, ensure_ascii=False).encode())
    assert url in good.split(".")[1]
    assert [readable for readable, _ in read(good, good.replace(url, plain))] == [True, False]


@pytest.mark.parametrize("text", ["a", "a.b", "..", "a..b", "a.b.c.d", "...", "WS/1.0", "x" * 9000])
def test_what_has_not_three_parts_is_unreadable(text: str) -> None:
    assert read(text) == [UNREADABLE]


def test_a_payload_without_its_neighbours_is_still_one_of_three_parts() -> None:
    """Header and signature are not looked at: nothing is proved by them."""
    payload = token({"top": "x"}).split(".")[1]
    assert read(f".{payload}.") == [(True, {"top": "x"})]


def test_invalid_utf8_is_unreadable_and_disturbs_no_other_token() -> None:
    good = token({"top": "x"})
    assert (
        read(good, token(b'{"top":"\xff"}'), good, token(b'{"top":"\xed\xa0\x80"}'), good)[::2]
        == [(True, {"top": "x"})] * 3
    )
    assert one(b'{"top":"\xff"}') == UNREADABLE


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b'{"top":}', b'{"top":"\n"}', b'{"top":"\\ud800"}', b'{"top":"\\x41"}', b"\xef\xbb\xbf{}", b"{} {}"],
)
def test_what_is_no_json_is_unreadable(payload: bytes) -> None:
    assert one(payload) == UNREADABLE


def test_escapes_are_read_also_that_of_nul() -> None:
    assert one(b'{"top":"\\u0000\\ud83d\\ude00\\n"}') == (True, {"top": "\0😀\n"})


def test_of_a_key_that_is_there_twice_the_first_counts() -> None:
    assert one(b'{"top":1,"top":2}') == (True, {"top": "1"})


def test_constants_that_are_no_json_are_no_values() -> None:
    assert one(b'{"top":NaN,"data":{"id":-Infinity}}') == (True, {})


def nested(depth: int) -> dict[str, object]:
    """An object that is `depth` deep, with objects and arrays by turns."""
    value: object = "x"
    for level in range(depth - 1):
        value = [value] if level % 2 else {"y": value}
    return {"deeper": value, "top": 'x"{[{[{[{[{['}


def test_eight_levels_are_read_and_nine_are_not() -> None:
    """Brackets inside strings are no levels."""
    assert one(nested(8))[0] is True
    assert one(nested(9)) == UNREADABLE
    assert one(b'{"top":' + b"[" * 2000 + b"]" * 2000 + b"}") == UNREADABLE


def test_many_small_objects_are_not_deep() -> None:
    assert one({"list": [{"a": 1}] * 20, "top": "x"}) == (True, {"top": "x"})


def test_64_keys_are_read_and_65_are_not() -> None:
    """Colons inside strings are no keys."""
    keys = {f"k{number}": ":::" for number in range(63)}
    assert one({**keys, "top": "x"}) == (True, {"top": "x"})
    assert one({**keys, "a": {}, "top": "x"}) == UNREADABLE


def test_limits_of_length_are_exact() -> None:
    def sized(size: int) -> str:
        return token(b'{"top":"x","fill":"' + b"f" * (size - 21) + b'"}')

    assert read(sized(4096), sized(4097)) == [(True, {"top": "x"}), UNREADABLE]
    small = token({"top": "x"})
    assert read(small + "s" * (8192 - len(small)), small + "s" * (8193 - len(small))) == [
        (True, {"top": "x"}),
        UNREADABLE,
    ]


def test_without_the_name_there_is_no_column_for_readable() -> None:
    assert jwt(readable=None).adds({"token": "VARCHAR"}) == dict.fromkeys(PATHS, "VARCHAR")


def test_the_token_itself_may_be_replaced() -> None:
    """So that nothing behind can read it."""
    added = enriched(Jwt(column="token", unverified={"token": "top"}), {"token": [token({"top": "x"}), None]})
    assert added == {"token": ["x", None]}


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a.", "a/b", "a~b", "0", "a.0", "$.a", ".".join("abcdefghi")])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"unverified.x: .* is no path"):
        jwt(unverified={"x": path})


def test_names_are_checked() -> None:
    with pytest.raises(ValueError, match="unverified: write at least one"):
        jwt(unverified={})
    with pytest.raises(ValueError, match=r"readable: .*there twice"):
        jwt(readable="Model")


def test_a_column_that_is_not_there_or_no_text_is_refused() -> None:
    with pytest.raises(ExpressionError, match='unknown column "token"'):
        jwt().adds({"tokens": "VARCHAR"})
    with pytest.raises(ExpressionError, match='"token" is BIGINT; a token is text'):
        jwt().adds({"token": "BIGINT"})


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, 2**64, -(2**63), -(2**63) - 1, 0]),
    st.floats(),
    st.text(),
)
KEYS = st.one_of(st.sampled_from(["data", "id", "model", "top", "more", "x"]), st.text(max_size=4))
DOCUMENTS = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=5),
    max_leaves=12,
)
SHAPED = st.fixed_dictionaries(
    {}, optional={"data": st.fixed_dictionaries({}, optional={"id": DOCUMENTS, "model": LEAVES}), "top": LEAVES}
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A document as bytes, now and then with some of them exchanged."""
    document = draw(DOCUMENTS | SHAPED)
    text = bytearray(json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2)) if text else 0):
        text[draw(st.integers(0, len(text) - 1))] = draw(
            st.sampled_from(b'{}[]":,\\ue0 \n\x00\xff\xc3,,') | st.integers(0, 255)
        )
    return bytes(text)


TOKENS = st.one_of(
    st.none(),
    damaged().map(token),
    st.binary(max_size=40).map(token),
    st.text(alphabet="ABab01-_.+/=é \n", max_size=40),
    st.tuples(damaged().map(token), st.sampled_from("+/=!. \n"), st.integers(0, 60)).map(
        lambda made: made[0][: made[2]] + made[1] + made[0][made[2] :]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TOKENS, min_size=1, max_size=25))
def test_any_tokens_say_what_the_plain_reading_says(tokens: list[str | None]) -> None:
    """Whatever a stranger sends: no error, and nothing that strict reading would not find."""
    added = enriched(jwt(), {"token": tokens})
    got = [(added["ok"][row], [added[name][row] for name in PATHS]) for row in range(len(tokens))]
    assert got == [plain_token.read(text, list(PATHS.values())) for text in tokens]
