"""Rules as instructions that can be run: each expression's bytes find the file that knows them.

An expression that no file knows stays in its place, so that the walk can say where it did not understand.

Kernel: net/netfilter/nf_tables_core.c nft_do_chain
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kubectl_packetpath.snapshot.netlink import NetlinkError
from kubectl_packetpath.snapshot.nftables_messages import (
    Expression,
    Rule,
    expression_spans,
    read_expression,
    read_rule,
)
from kubectl_packetpath.walk.nftables.expressions import find_kind
from kubectl_packetpath.walk.nftables.kind import BAD_BYTES, AnyKind

MOST_REMEMBERED = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One expression, ready to run."""

    name: str
    kind: AnyKind | None
    """None: nobody knows how to run it."""
    spec: Any
    trouble: str = ""
    """Why it cannot be run."""


@lru_cache(maxsize=MOST_REMEMBERED)
def instruction(data: bytes) -> Instruction:
    """An expression from its attributes."""
    try:
        return decoded(read_expression(data))
    except BAD_BYTES as error:
        return Instruction(name="?", kind=None, spec=None, trouble=f"an expression cannot be read: {error}")


def decoded(expression: Expression) -> Instruction:
    """An expression whose envelope has been read."""
    kind = find_kind(expression.name)
    if kind is None:
        trouble = f'expression "{expression.name}" is not modelled'
        return Instruction(name=expression.name, kind=None, spec=None, trouble=trouble)
    try:
        return Instruction(name=expression.name, kind=kind, spec=kind.unpack(expression.data))
    except BAD_BYTES as error:
        trouble = f'expression "{expression.name}" has other bytes: {error}'
        return Instruction(name=expression.name, kind=None, spec=None, trouble=trouble)


@lru_cache(maxsize=MOST_REMEMBERED)
def instructions(raw: bytes) -> tuple[Instruction, ...]:
    """A rule's expressions."""
    try:
        return tuple(instruction(raw[begin:end]) for begin, end in expression_spans(raw))
    except BAD_BYTES as error:
        trouble = f"the rule cannot be read: {error}"
        return (Instruction(name="?", kind=None, spec=None, trouble=trouble),)


def whole_rule(raw: bytes) -> Rule | None:
    """The rule with its handle and comment; None: it cannot be read."""
    try:
        return read_rule(raw)
    except (NetlinkError, *BAD_BYTES):
        return None
