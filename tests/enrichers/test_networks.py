"""Ranges against a straight search through all of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pegel.enrichers.networks import Network, RangeTable, network, ranges

Range = tuple[int, int]


def table(width: int, given: Sequence[Range]) -> RangeTable:
    owners = [Network(str(number)) for number in range(len(given))]
    starts, ends = (b"".join(one[side].to_bytes(width, "big") for one in given) for side in (0, 1))
    return RangeTable(owners, {width: ranges(width, starts, ends, range(len(given)))}, 0.0)


def straight(given: Sequence[Range], address: int) -> str | None:
    around = [(end - start, number) for number, (start, end) in enumerate(given) if start <= address <= end]
    return str(min(around)[1]) if around else None


def found(width: int, given: Sequence[Range], addresses: Sequence[int]) -> list[str | None]:
    packed = [address.to_bytes(width, "big") for address in addresses]
    return [one.asn if one else None for one in table(width, given).find(packed)]


def numbers(width: int) -> st.SearchStrategy[int]:
    """Close to each other, with zero bytes at the end and in between, and at both ends of the space."""
    top = 256**width - 1
    near = st.integers(0, 40)
    shift = st.sampled_from([0, 8, 8 * width - 8])
    return st.one_of(st.builds(lambda a, s: (a << s) & top, near, shift), near.map(lambda a: top - a))


def cases(width: int) -> st.SearchStrategy[tuple[list[Range], list[int]]]:
    pair = st.tuples(numbers(width), numbers(width)).map(lambda two: (min(two), max(two)))
    return st.tuples(st.lists(pair, max_size=12), st.lists(numbers(width), min_size=1, max_size=12))


@given(cases(4))
def test_the_smallest_range_around_an_ipv4_address_counts(case: tuple[list[Range], list[int]]) -> None:
    assert found(4, *case) == [straight(case[0], address) for address in case[1]]


@given(cases(16))
def test_the_smallest_range_around_an_ipv6_address_counts(case: tuple[list[Range], list[int]]) -> None:
    """Addresses of 16 bytes are compared as texts, of which a zero at the end must not be lost."""
    assert found(16, *case) == [straight(case[0], address) for address in case[1]]


def test_of_ranges_of_one_size_the_first_counts_also_where_they_overlap_in_part() -> None:
    assert found(4, [(9, 15), (8, 14)], [8, 9, 14, 15]) == ["1", "0", "0", "0"]


@given(st.lists(st.ip_addresses(v=4, network="192.0.2.0/24"), min_size=1))
def test_prefixes_within_prefixes_are_found_by_the_longest(addresses: list[ipaddress.IPv4Address]) -> None:
    prefixes = [ipaddress.ip_network(text) for text in ("192.0.2.0/24", "192.0.2.128/25", "192.0.2.192/28")]
    given = [(int(prefix.network_address), int(prefix.broadcast_address)) for prefix in prefixes]
    longest = [max((p.prefixlen, str(n)) for n, p in enumerate(prefixes) if address in p)[1] for address in addresses]
    assert found(4, given, [int(address) for address in addresses]) == longest


def test_addresses_of_both_lengths_are_answered_in_their_order() -> None:
    four, six = table(4, [(5, 9)]), table(16, [(5, 9)])
    both = RangeTable(four.owners, {**four.ranges, **six.ranges}, 0.0)
    asked = [number.to_bytes(width, "big") for number in (4, 5, 9, 10) for width in (16, 4)]
    assert [one is not None for one in both.find(asked)] == [False, False, True, True, True, True, False, False]


def test_a_name_is_cleaned_and_short() -> None:
    """It comes from a stranger and becomes a value in a database and a line on a terminal."""
    assert network(1, "  Beispiel\x1b[31m\u202e  Netz,\tDE ", "DE") == Network("1", "Beispiel [31m Netz, DE", "DE")
    assert network(1, "x" * 1000, "de") == Network("1", "x" * 128, None)
    assert network(1, " \t", "None") == Network("1", None, None)
