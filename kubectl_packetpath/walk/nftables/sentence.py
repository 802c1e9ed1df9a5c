"""A rule put into words, expression by expression: what stands in each register has a name already.

nft leaves out what another part of the rule says anyway (`meta l4proto tcp` before `tcp dport`); so do we.
"""

from dataclasses import dataclass, field, replace

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.nftables.registers import slot_of
from kubectl_packetpath.walk.nftables.values import (
    BITMASKS,
    HOST_ORDER,
    as_number,
    data_words,
    flags_words,
    value_words,
)

OPERATORS = ("", "!= ", "< ", "<= ", "> ", ">= ")
EQUAL, NOT_EQUAL = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What a register holds, in words."""

    text: str
    kinds: tuple[str, ...] = ("integer",)
    size: int = 4
    prefix: int | None = None
    """Only so many leading bits are compared."""
    mask: int | None = None
    """Only these flags are compared."""
    shift: int = 0
    """By how many bits the value stands too far left."""
    value: bytes | None = None
    """A constant."""
    turned: bool = False
    """Its bytes were turned round, to be compared by size."""

    def words(self, value: bytes) -> str:
        """A value of this term's type."""
        return data_words(self.kinds, value[::-1] if self.turned else value)


@dataclass(slots=True, kw_only=True)
class Sentence:
    """The words so far."""

    state: NamespaceState
    chain: NftChain
    words: list[str] = field(default_factory=list)
    terms: dict[int, Term] = field(default_factory=dict)
    transport: str = ""
    """The transport protocol that the rule has settled."""
    network: str = ""
    implied: dict[str, int] = field(default_factory=dict)
    """Words that only prepare others, and where they stand: they go once the others come."""

    def say(self, text: str) -> None:
        """Add words."""
        self.words.append(text)

    def load(self, slot: int, term: Term) -> None:
        """A register is filled."""
        self.terms[slot] = term

    def term(self, slot: int, size: int = 0) -> Term:
        """What stands here; several registers in a row make a concatenation of `size` bytes."""
        first = self.terms.get(slot, Term(text=f"register {slot}"))
        covered = (first.size + 3) & ~3
        texts, kinds = [first.text], [*first.kinds]
        while covered < size and slot + covered // 4 in self.terms:
            following = self.terms[slot + covered // 4]
            texts.append(following.text)
            kinds += following.kinds
            covered += (following.size + 3) & ~3
        if len(texts) == 1:
            return first
        return Term(text=" . ".join(texts), kinds=tuple(kinds), size=covered)

    def swapped(self, slot: int, size: int) -> Term:
        """The same term with its bytes turned round."""
        term = self.term(slot, size)
        return replace(term, turned=not term.turned and term.kinds[0] in HOST_ORDER)

    def needed(self, what: str) -> None:
        """The words that prepared this are said by what comes now."""
        at = self.implied.pop(what, None)
        if at is not None:
            self.words[at] = ""

    def compare(self, term: Term, operator: int, value: bytes) -> None:
        """A comparison of a register with a constant."""
        if term.mask is not None and term.kinds[0] in BITMASKS:
            self.say(_flags(term, operator, value))
            return
        kind = term.kinds[0]
        if term.shift:
            number = as_number(kind, value) >> term.shift
            value = number.to_bytes(max(len(value), 1), "little" if kind == "mark" else "big")
        text = term.words(value)
        if term.mask is not None:
            text = value_words("mark" if term.size == 4 else kind, value)
        if term.prefix is not None:
            text = f"{text}/{term.prefix}"
        self.say(f"{term.text} {OPERATORS[operator]}{text}")
        self._settle(term, operator, value)

    def _settle(self, term: Term, operator: int, value: bytes) -> None:
        if operator != EQUAL:
            return
        text = value_words(term.kinds[0], value)
        at = len(self.words) - 1
        if term.text in {"meta l4proto", "ip protocol", "ip6 nexthdr"}:
            self.transport = text
            if term.text == "meta l4proto":
                self.implied["transport"] = at
        elif term.text in {"meta nfproto", "meta protocol", "ether type"}:
            self.network = {"ipv4": "ip", "ipv6": "ip6"}.get(text, text)
            self.implied["network"] = at
        elif term.text == "meta iiftype":
            self.implied["link"] = at

    def constant(self, slot: int, kind: str) -> str | None:
        """The constant in a register, in words; None where it is not a constant."""
        term = self.terms.get(slot)
        return None if term is None or term.value is None else value_words(kind, term.value)

    def text(self) -> str:
        """The sentence."""
        return " ".join(word for word in self.words if word)


def _flags(term: Term, operator: int, value: bytes) -> str:
    kind, mask = term.kinds[0], term.mask or 0
    number = as_number(kind, value)
    if number == 0 and operator == NOT_EQUAL:
        return f"{term.text} {flags_words(kind, mask)}"
    if number == 0:
        return f"{term.text} ! {flags_words(kind, mask)}"
    sign = "== " if operator == EQUAL else OPERATORS[operator]
    if kind == "tcp_flag":
        return f"{term.text} {'' if operator == EQUAL else sign}{flags_words(kind, number)} / {flags_words(kind, mask)}"
    return f"{term.text} & ({flags_words(kind, mask, ' | ')}) {sign}{flags_words(kind, number, ' | ')}"


def masked(term: Term, mask: int, xor: int, size: int) -> Term:
    """A term after `(value & mask) ^ xor`, as nft understands it."""
    every = (1 << (size * 8)) - 1
    either = xor & ~mask
    xor, mask = xor ^ either, (mask | either) & every
    kind = term.kinds[0]
    if not xor and not either and (shape := _narrowed(term, mask, size)) is not None:
        return shape
    text = term.text
    for sign, operand, wanted in (
        ("&", mask, mask != every),
        ("^", xor, bool(xor)),
        ("|", either, bool(either)),
    ):
        if wanted:
            text = f"{text} {sign} {_operand(kind, operand, size)}"
    return replace(term, text=text, mask=mask if kind not in BITMASKS else None, size=size)


def _narrowed(term: Term, mask: int, size: int) -> Term | None:
    """A mask that only says which part of the value counts."""
    kind, every = term.kinds[0], (1 << (size * 8)) - 1
    if kind in BITMASKS:
        return replace(term, mask=mask)
    missing = every & ~mask
    if kind in {"ipv4_addr", "ipv6_addr"} and missing & (missing + 1) == 0:
        return replace(term, prefix=size * 8 - missing.bit_length())
    return None


def _operand(kind: str, number: int, size: int) -> str:
    if kind in {"ipv4_addr", "ipv6_addr", "ether_addr"}:
        return value_words(kind, number.to_bytes(size, "big"))
    return f"0x{number:0{size * 2}x}"


def is_iptables(state: NamespaceState, chain: NftChain) -> bool:
    """Whether the table looks like one that the nft back end of iptables made."""
    names = {"filter", "nat", "mangle", "raw", "security"}
    if chain.family not in {2, 10} or chain.table not in names:
        return False
    bases = state.nft_base_chains()
    known = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}
    return not isinstance(bases, Absent) and all(
        base.name in known for base in bases if (base.family, base.table) == (chain.family, chain.table)
    )


__all__ = ["EQUAL", "NOT_EQUAL", "Sentence", "Term", "is_iptables", "masked", "slot_of"]
