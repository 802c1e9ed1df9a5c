"""The recent match reads the kernel's list."""

import struct

import pytest
from unit.walk.xtables.blobs import here_with, tcp_packet

from kubectl_packetpath.snapshot.ipsets import RecentList
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Undecided
from kubectl_packetpath.walk.xtables.matches.recent import CHECK, MATCH, REMOVE, SET

TEXT = "src=10.0.0.1 ttl: 64 last_seen: 90000 oldest_pkt: 2 80000, 90000\n"


def asked(
    text: str,
    *,
    what: int = CHECK,
    seconds: int = 0,
    hits: int = 0,
    jiffies: int = 100_000,
    slack_seconds: int = 0,
) -> Decision:
    """The match's answer for a SYN of 10.0.0.1, at 1,000 jiffies a second."""
    data = struct.pack("<IIBB200sBx", seconds, hits, what, 0, b"seen", 0) + b"\xff" * 16
    spec = MATCH.unpack(Extension(name="recent", revision=1, data=data), 4)
    listed = RecentList(name="seen", text=text, jiffies=jiffies, hertz=1000, slack_seconds=slack_seconds)
    return MATCH.holds(spec, here_with(recent=(listed,)), tcp_packet())


@pytest.mark.parametrize(
    ("seconds", "hits", "holds"),
    [(0, 0, True), (5, 0, False), (15, 0, True), (0, 2, True), (15, 2, False), (25, 2, True), (0, 3, False)],
)
def test_an_entry_counts_while_it_is_fresh_and_frequent(seconds: int, hits: int, holds: bool) -> None:
    """It was seen ten and twenty seconds ago."""
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


@pytest.mark.parametrize(("seconds", "hits"), [(10, 0), (11, 0), (9, 0), (20, 2)])
def test_an_entry_that_is_about_to_expire_is_a_doubt(seconds: int, hits: int) -> None:
    """The packet comes a moment after the list was read."""
    assert isinstance(asked(TEXT, seconds=seconds, hits=hits), Undecided)


def test_a_clock_that_was_only_estimated_widens_the_doubt() -> None:
    """Where the kernel does not tell its ticks, they follow from the time since its start, roughly."""
    assert isinstance(asked(TEXT, seconds=15, slack_seconds=10), Undecided)
    assert asked(TEXT, seconds=100, slack_seconds=10) is True


def test_an_entry_is_removed_however_old_it_is() -> None:
    """Removing asks for the address alone."""
    assert asked(TEXT, what=REMOVE, seconds=1) is True
