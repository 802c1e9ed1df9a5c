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
    SIZES,
    as_number,
    data_words,
    flags_words,
    quoted,
    value_words,
)

OPERATORS = ("", "!= ", "< ", "<= ", "> ", ">= ")
EQUAL, NOT_EQUAL, AT_MOST, AT_LEAST = 0, 1, 3, 5
SUBFIELDS = {
    ("ip dscp", 0xFC): ("ip dscp", "dscp", 2), ("ip dscp", 0x03): ("ip ecn", "ecn", 0),
    ("ip version", 0xF0): ("ip version", "integer", 4), ("ip version", 0x0F): ("ip hdrlength", "integer", 0),
    ("ip6 dscp", 0x0FC0): ("ip6 dscp", "dscp", 6), ("tcp doff", 0xF0): ("tcp doff", "integer", 4),
}  # fmt: skip
"""Fields that are smaller than a byte: what is loaded and its mask, then name, type and shift."""


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
    pieces: tuple["Term", ...] = ()
    """Neighbouring fields that were loaded at once."""
    fixed: tuple[int, int] | None = None
    """A mask of the bits that stay, and the bits that are set instead of the others."""

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
    lower: tuple[int, Term, str] | None = None
    """The last comparison, if it was `>=`: where it stands, of what, with what."""
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
        if term.pieces and operator == EQUAL:
            self._each_piece(term, value)
            return
        text = self._operand(term, value)
        sign = "== " if term.mask is not None and operator == EQUAL else OPERATORS[operator]
        at, self.lower = self.lower, None
        if operator == AT_MOST and at is not None and at[:2] == (len(self.words) - 1, term):
            self.words[-1] = f"{term.text} {at[2]}-{text}"
            return
        self.say(f"{term.text} {sign}{text}")
        self._settle(term, operator, value)
        if operator == AT_LEAST:
            self.lower = (len(self.words) - 1, term, text)

    def _operand(self, term: Term, value: bytes) -> str:
        """The constant of a comparison."""
        kind = term.kinds[0]
        if term.shift:
            value = (int.from_bytes(value, "big") >> term.shift).to_bytes(len(value), "big")
        if term.mask is not None and not term.shift and kind == "mark":
            return value_words("mark", value)
        if kind == "ifindex" and (name := self.device(value[::-1] if term.turned else value)) is not None:
            return name
        prefix = term.prefix
        if prefix is None and kind in SIZES and kind.endswith("_addr") and len(value) < SIZES[kind]:
            prefix = len(value) * 8
        text = term.words(value)
        return text if prefix is None else f"{text}/{prefix}"

    def device(self, value: bytes) -> str | None:
        """A device's name by its number."""
        links = self.state.links()
        number = int.from_bytes(value, "little")
        for link in () if isinstance(links, Absent) else links:
            if link.index == number:
                return quoted(link.name)
        return None

    def _each_piece(self, term: Term, value: bytes) -> None:
        position = 0
        for piece in term.pieces:
            self.compare(piece, EQUAL, value[position : position + piece.size])
            position += piece.size

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
    fixed = (mask & ~either, either)
    return replace(term, text=text, mask=mask if kind not in BITMASKS else None, size=size, fixed=fixed)


def _narrowed(term: Term, mask: int, size: int) -> Term | None:
    """A mask that only says which part of the value counts."""
    kind, every = term.kinds[0], (1 << (size * 8)) - 1
    if (smaller := SUBFIELDS.get((term.text, mask))) is not None:
        return replace(term, text=smaller[0], kinds=(smaller[1],), shift=smaller[2])
    if kind in BITMASKS:
        return replace(term, mask=mask)
    missing = every & ~mask
    if kind in {"ipv4_addr", "ipv6_addr"} and missing & (missing + 1) == 0:
        return replace(term, prefix=size * 8 - missing.bit_length())
    return None


def _operand(kind: str, number: int, size: int) -> str:
    if kind in {"ipv4_addr", "ipv6_addr", "ether_addr"}:
        return value_words(kind, number.to_bytes(size, "big"))
    return str(number) if kind == "integer" else f"0x{number:0{size * 2}x}"


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
