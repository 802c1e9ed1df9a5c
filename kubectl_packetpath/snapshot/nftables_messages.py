"""Reads nftables messages: rules and their expressions, sets and their elements.

Only the envelope is read here. What an expression's attributes mean stays in its own file below
`walk/nftables/expressions/`, so an expression that nobody knows yet is still a name and its bytes.

Kernel: include/uapi/linux/netfilter/nf_tables.h, net/netfilter/nf_tables_api.c nf_tables_fill_rule_info
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_packetpath.snapshot.netlink import NetlinkError, attribute_map, attributes, text

_HEAD = struct.Struct("=HH")
RULE_HANDLE, RULE_EXPRESSIONS, RULE_POSITION, RULE_USERDATA = 3, 4, 6, 7
EXPR_NAME, EXPR_DATA = 1, 2
SET_NAME, SET_FLAGS, SET_KEY_TYPE, SET_KEY_LEN, SET_DATA_TYPE, SET_DATA_LEN = 2, 3, 4, 5, 6, 7
SET_DESC, SET_TIMEOUT, SET_OBJECT_TYPE = 9, 11, 15
DESC_SIZE, DESC_CONCAT, FIELD_LENGTH = 1, 2, 1
ELEM_KEY, ELEM_DATA, ELEM_FLAGS, ELEM_TIMEOUT, ELEM_EXPIRATION, ELEM_USERDATA = 1, 2, 3, 4, 5, 6
ELEM_EXPRESSION, ELEM_OBJECT, ELEM_KEY_END, ELEM_EXPRESSIONS = 7, 9, 10, 11
DATA_VALUE, DATA_VERDICT = 1, 2
VERDICT_CODE, VERDICT_CHAIN = 1, 2
USERDATA_COMMENT = 0
SET_ANONYMOUS, SET_INTERVAL, SET_MAP, SET_CONCAT = 0x01, 0x04, 0x08, 0x80
ELEMENT_INTERVAL_END, ELEMENT_CATCH_ALL = 0x01, 0x02

DROP, ACCEPT, STOLEN, QUEUE = 0, 1, 2, 3
CONTINUE, BREAK, JUMP, GOTO, RETURN = -1, -2, -3, -4, -5
QUEUE_BYPASS, VERDICT_MASK = 0x8000, 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule or a verdict map says about the packet."""

    code: int
    """NF_* or NFT_*."""
    chain: str = ""
    """Where a jump or goto leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One instruction of a rule: a name, and bytes that one file knows how to read."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of a chain."""

    handle: int
    comment: str
    expressions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDescription:
    """What kind of set or map this is."""

    name: str
    flags: int
    key_type: int
    key_length: int
    data_type: int
    data_length: int
    fields: tuple[int, ...]
    """Bytes of each part of a concatenated key; empty where the set does not say."""
    timeout_ms: int | None
    object_type: int = 0
    """NFT_OBJECT_* of an object map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element of a set or map."""

    key: bytes | None
    """None: it stands for every key that no other element has."""
    key_end: bytes | None
    value: bytes | None
    """What a map gives for it."""
    verdict: Verdict | None
    flags: int
    timeout_ms: int | None
    expires_ms: int | None
    comment: str
    object: str
    """Name of the object that an object map gives."""
    expressions: tuple[Expression, ...] = ()
    """What runs whenever a packet finds the element (a counter, a limit)."""


def expressions_at(raw: bytes) -> int:
    """Where the expressions of a rule begin; -1: it has none. Made for chains of 10,000 rules."""
    position, size, unpack = 0, len(raw), _HEAD.unpack_from
    while position + 4 <= size:
        length, kind = unpack(raw, position)
        if length < 4 or position + length > size:
            raise NetlinkError(f"an attribute at {position} says that it is {length} bytes long")
        if kind & 0x3FFF == RULE_EXPRESSIONS:
            return position + 4
        position += (length + 3) & ~3
    return -1


def expression_spans(raw: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of the attributes of each expression within the rule's bytes."""
    position = expressions_at(raw)
    if position < 0:
        return
    (length,) = struct.unpack_from("=H", raw, position - 4)
    end = min(position - 4 + length, len(raw))
    while position + 4 <= end:
        (size,) = struct.unpack_from("=H", raw, position)
        if size < 4 or position + size > end:
            raise NetlinkError(f"an expression at {position} says that it is {size} bytes long")
        yield position + 4, position + size
        position += (size + 3) & ~3


def read_expression(data: bytes) -> Expression:
    """An expression from its attributes."""
    parts = attribute_map(data)
    return Expression(name=text(parts.get(EXPR_NAME, b"?")), data=parts.get(EXPR_DATA, b""))


def read_rule(raw: bytes) -> Rule:
    """A whole rule."""
    parts = attribute_map(raw)
    return Rule(
        handle=number(parts.get(RULE_HANDLE, b"")),
        comment=comment_of(parts.get(RULE_USERDATA, b"")),
        expressions=tuple(
            read_expression(value) for _, value in attributes(parts.get(RULE_EXPRESSIONS, b""))
        ),
    )


def comment_of(userdata: bytes) -> str:
    """The comment that nft keeps beside a rule, set or element."""
    position = 0
    while position + 2 <= len(userdata):
        kind, length = userdata[position], userdata[position + 1]
        if kind == USERDATA_COMMENT:
            return text(userdata[position + 2 : position + 2 + length])
        position += 2 + length
    return ""


def number(value: bytes) -> int:
    """A number as nftables writes it: big endian."""
    return int.from_bytes(value, "big")


def read_verdict(data: bytes) -> Verdict:
    """The attributes of NFTA_DATA_VERDICT."""
    parts = attribute_map(data)
    code = int.from_bytes(parts[VERDICT_CODE], "big", signed=True)
    return Verdict(code=code, chain=text(parts.get(VERDICT_CHAIN, b"")))


def read_data(data: bytes) -> bytes | Verdict:
    """A value or a verdict, whichever it is."""
    parts = attribute_map(data)
    if DATA_VERDICT in parts:
        return read_verdict(parts[DATA_VERDICT])
    return parts[DATA_VALUE]


def read_set(message: bytes) -> SetDescription:
    """The description of a set or map."""
    parts = attribute_map(message)
    described = attribute_map(parts.get(SET_DESC, b""))
    fields = tuple(
        number(attribute_map(field).get(FIELD_LENGTH, b""))
        for _, field in attributes(described.get(DESC_CONCAT, b""))
    )
    return SetDescription(
        name=text(parts.get(SET_NAME, b"")),
        flags=number(parts.get(SET_FLAGS, b"")),
        key_type=number(parts.get(SET_KEY_TYPE, b"")),
        key_length=number(parts.get(SET_KEY_LEN, b"")),
        data_type=number(parts.get(SET_DATA_TYPE, b"")),
        data_length=number(parts.get(SET_DATA_LEN, b"")),
        fields=fields,
        timeout_ms=number(parts[SET_TIMEOUT]) if SET_TIMEOUT in parts else None,
        object_type=number(parts.get(SET_OBJECT_TYPE, b"")),
    )


def read_element(raw: bytes) -> Element:
    """One element of a set or map."""
    parts = attribute_map(raw)
    data = read_data(parts[ELEM_DATA]) if ELEM_DATA in parts else None
    return Element(
        key=_value(parts, ELEM_KEY),
        key_end=_value(parts, ELEM_KEY_END),
        value=data if isinstance(data, bytes) else None,
        verdict=data if isinstance(data, Verdict) else None,
        flags=number(parts.get(ELEM_FLAGS, b"")),
        timeout_ms=number(parts[ELEM_TIMEOUT]) if ELEM_TIMEOUT in parts else None,
        expires_ms=number(parts[ELEM_EXPIRATION]) if ELEM_EXPIRATION in parts else None,
        comment=comment_of(parts.get(ELEM_USERDATA, b"")),
        object=text(parts.get(ELEM_OBJECT, b"")),
        expressions=_stateful(parts),
    )


def _stateful(parts: dict[int, bytes]) -> tuple[Expression, ...]:
    if ELEM_EXPRESSION in parts:
        return (read_expression(parts[ELEM_EXPRESSION]),)
    return tuple(read_expression(value) for _, value in attributes(parts.get(ELEM_EXPRESSIONS, b"")))


def _value(parts: dict[int, bytes], kind: int) -> bytes | None:
    return attribute_map(parts[kind]).get(DATA_VALUE) if kind in parts else None
