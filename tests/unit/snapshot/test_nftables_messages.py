"""Messages of nftables: the envelope of rules, sets and elements."""

import pytest
from unit.walk.nftables.rules import cmp, decide, element, expression, name, number, rule, value, verdict

from kubectl_packetpath.snapshot.netlink import NetlinkError, attribute
from kubectl_packetpath.snapshot.nftables_messages import (
    Verdict,
    expression_spans,
    read_element,
    read_expression,
    read_rule,
    read_set,
)


def test_a_rule_has_a_handle_a_comment_and_expressions() -> None:
    """An expression that nobody knows is still a name and its bytes."""
    read = read_rule(rule(cmp(b"\x01"), expression("novel", number(1, 5)), comment="why it is here"))

    assert (read.handle, read.comment) == (7, "why it is here")
    assert [each.name for each in read.expressions] == ["cmp", "novel"]
    assert read.expressions[1].data == number(1, 5)


def test_expressions_are_found_without_reading_them() -> None:
    """The spans are those that reading gives."""
    raw = rule(cmp(b"\x01"), decide(-3, "there"), comment="x")

    spans = [read_expression(raw[begin:end]) for begin, end in expression_spans(raw)]

    assert tuple(spans) == read_rule(raw).expressions


def test_a_rule_that_is_cut_off_is_an_error() -> None:
    """Nobody takes half a rule for a whole one."""
    raw = rule(cmp(b"\x01" * 16))

    with pytest.raises(NetlinkError):
        read_rule(raw[:-8])


def test_an_element_of_a_map_gives_a_value_or_a_verdict() -> None:
    """With the end of its range, and the comment of whoever made it."""
    comment = b"web\0"
    userdata = attribute(6, bytes([0, len(comment)]) + comment)
    plain = read_element(element(b"\x00\x50", attribute(2, value(b"\x0a\0\0\x01")), userdata))
    jumping = read_element(
        element(b"\x01", attribute(2, verdict(-4, "there")), attribute(10, value(b"\x09")))
    )

    assert (plain.key, plain.value, plain.verdict, plain.comment) == (
        b"\x00\x50",
        b"\x0a\0\0\x01",
        None,
        "web",
    )
    assert jumping.verdict == Verdict(code=-4, chain="there")
    assert (jumping.key, jumping.key_end) == (b"\x01", b"\x09")


def test_a_catch_all_element_has_no_key() -> None:
    """It stands for every key that no other element has."""
    assert read_element(number(3, 2) + attribute(2, verdict(0))).key is None


def test_a_set_says_what_its_key_is_made_of() -> None:
    """A concatenation lists the length of each part."""
    fields = b"".join(attribute(1, number(1, length)) for length in (4, 1, 2))
    message = (
        name(2, "service-ips") + number(3, 0x88) + number(5, 12) + attribute(9, attribute(2, fields))
        + attribute(11, (10_800_000).to_bytes(8, "big"))
    )  # fmt: skip

    read = read_set(message)

    assert (read.name, read.flags, read.key_length) == ("service-ips", 0x88, 12)
    assert read.fields == (4, 1, 2)
    assert read.timeout_ms == 10_800_000
