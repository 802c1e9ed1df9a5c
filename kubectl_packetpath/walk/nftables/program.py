"""The rules of a chain as programs: expressions decoded once, and long chains skipped by their bytes.

A rule that loads something and compares it with a constant that differs from what this packet has cannot
match. The bytes up to that constant are the same in rule after rule of a chain like KUBE-SERVICES, so a
glance at the constant is enough for the next ten thousand.

Kernel: net/netfilter/nf_tables_core.c nft_do_chain (which has the same fast path for payload and cmp)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kubectl_packetpath.snapshot.netlink import NetlinkError
from kubectl_packetpath.snapshot.nftables_messages import expression_spans, expressions_at, read_expression
from kubectl_packetpath.walk.nftables.expressions import find_kind
from kubectl_packetpath.walk.nftables.expressions.cmp import EQ
from kubectl_packetpath.walk.nftables.expressions.cmp import Spec as Comparison
from kubectl_packetpath.walk.nftables.kind import BAD_BYTES, AnyKind
from kubectl_packetpath.walk.nftables.registers import DoubtError, Registers

MOST_PREFIXES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One expression, ready to run."""

    name: str
    kind: AnyKind | None
    """None: nobody knows this expression, or not these bytes of it."""
    spec: Any
    problem: str = ""


@lru_cache(maxsize=1 << 16)
def instruction(data: bytes) -> Instruction:
    """Decode an expression's attributes."""
    expression = read_expression(data)
    kind = find_kind(expression.name)
    if kind is None:
        problem = f'expression "{expression.name}" is not modelled'
        return Instruction(name=expression.name, kind=None, spec=None, problem=problem)
    try:
        spec = kind.unpack(expression.data)
    except BAD_BYTES as error:
        problem = f'expression "{expression.name}" has other bytes: {error}'
        return Instruction(name=expression.name, kind=None, spec=None, problem=problem)
    return Instruction(name=expression.name, kind=kind, spec=spec)


def program_of(raw: bytes) -> tuple[Instruction, ...]:
    """The expressions of a rule."""
    return tuple(instruction(raw[begin:end]) for begin, end in expression_spans(raw))


class Skipper:
    """Knows, for one packet, by which bytes a rule of a chain cannot match."""

    __slots__ = ("_prefixes", "_start")

    def __init__(self) -> None:
        self._prefixes: list[tuple[bytes, bytes]] = []
        self._start = -1
        """Where the expressions begin in most rules of the chain."""

    def next_candidate(self, rules: Sequence[bytes], position: int) -> int:
        """The first rule from here on that has to be looked at; their number if there is none."""
        prefixes = self._prefixes
        while prefixes and position < len(rules):
            position = self._fast(rules, position)
            if position == len(rules):
                break
            try:
                start = expressions_at(rules[position])
            except NetlinkError:
                break  # whoever looks at it will say so
            if start == self._start:
                break
            self._start = start
        return position

    def _fast(self, rules: Sequence[bytes], position: int) -> int:
        """The first rule that no known comparison excludes at the usual place.

        An expression takes 16 bytes at least and other attributes fewer, so what stands there is no later one.
        """
        start = self._start
        known = [(prefix, start + len(prefix), wanted) for prefix, wanted in self._prefixes]
        for index in range(position, len(rules)):
            raw = rules[index]
            for prefix, at, wanted in known:
                if raw.startswith(prefix, start):
                    if raw.startswith(wanted, at):
                        continue
                    break
            else:
                return index
        return len(rules)

    def learn(self, raw: bytes, program: Sequence[Instruction], failed: int, registers: Registers) -> None:
        """A rule broke off at this expression: if that was a comparison, remember what it looked for."""
        found = program[failed]
        if not isinstance(found.spec, Comparison) or found.spec.operation != EQ:
            return
        if len(self._prefixes) >= MOST_PREFIXES:
            return
        if any(each.kind is None or not each.kind.pure for each in program[:failed]):
            return
        spans = list(expression_spans(raw))
        end, size = spans[failed][1], len(found.spec.value)
        at = end - ((size + 3) & ~3)
        if raw[at : at + size] != found.spec.value:
            return
        try:
            wanted = registers.read(found.spec.slot, size)
        except DoubtError:
            return
        self._prefixes.append((raw[spans[0][0] - 4 : at], wanted))
