"""The recent match reads the kernel's list."""

import struct

import pytest
from unit.walk.xtables.blobs import here_with, tcp_packet

from kubectl_packetpath.snapshot.ipsets import RecentList
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Undecided
from kubectl_packetpath.walk.xtables.matches.recent import CHECK, MATCH, SET

TEXT = "src=10.0.0.1 ttl: 64 last_seen: 9000 oldest_pkt: 2 8000, 9000\n"


def asked(text: str, what: int = CHECK, seconds: int = 0, hits: int = 0, jiffies: int = 10000) -> Decision:
    """The match's answer for a SYN of 10.0.0.1, at 1,000 jiffies a second."""
    data = struct.pack("<IIBB200sBx", seconds, hits, what, 0, b"seen", 0) + b"\xff" * 16
    spec = MATCH.unpack(Extension(name="recent", revision=1, data=data), 4)
    listed = RecentList(name="seen", text=text, jiffies=jiffies, hertz=1000)
    return MATCH.holds(spec, here_with(recent=(listed,)), tcp_packet())


@pytest.mark.parametrize(
    ("seconds", "hits", "holds"),
    [(0, 0, True), (1, 0, True), (0, 2, True), (1, 2, False), (2, 2, True), (0, 3, False)],
)
def test_an_entry_counts_while_it_is_fresh_and_frequent(seconds: int, hits: int, holds: bool) -> None:
    """It was seen one and two seconds ago."""
    assert asked(TEXT, seconds=seconds, hits=hits) is holds


def test_an_address_that_was_not_seen_does_not_match() -> None:
    """So the next endpoint is chosen by chance."""
    assert asked(TEXT.replace("10.0.0.1", "10.0.0.2")) is False


def test_setting_always_matches() -> None:
    """It is how an address comes into the list."""
    assert asked("", what=SET) is True


def test_the_age_of_an_entry_is_a_doubt_where_the_clock_was_not_read() -> None:
    """A list without the kernel's clock says who was seen, not when."""
    assert isinstance(asked(TEXT, seconds=10, jiffies=0), Undecided)
