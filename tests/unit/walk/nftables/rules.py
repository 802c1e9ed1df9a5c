"""Rules of nftables written by hand, as the kernel's messages hold them."""

from collections.abc import Iterable
from ipaddress import ip_address

from kubectl_packetpath.packet import TCP, Packet
from kubectl_packetpath.snapshot import NetworkNamespace
from kubectl_packetpath.snapshot.netlink import attribute
from kubectl_packetpath.snapshot.nftables import Nftables, NftChain, NftHook, NftSet
from kubectl_packetpath.snapshot.recorded import RecordedNamespace
from kubectl_packetpath.trace import Outcome
from kubectl_packetpath.walk.here import Here, Hook
from kubectl_packetpath.walk.nftables.chains import run_base

R1, R2 = 8, 9
"""NFT_REG32_00 and the next."""
EQ, NEQ, LT = 0, 1, 2
CLIENT, SERVER = ip_address("10.0.0.1"), ip_address("10.0.0.2")


def number(kind: int, value: int) -> bytes:
    """An attribute that holds a number."""
    return attribute(kind, value.to_bytes(4, "big", signed=value < 0))


def name(kind: int, text: str) -> bytes:
    """An attribute that holds a name."""
    return attribute(kind, text.encode() + b"\0")


def value(data: bytes) -> bytes:
    """NFTA_DATA_VALUE."""
    return attribute(1, data)


def verdict(code: int, chain: str = "") -> bytes:
    """NFTA_DATA_VERDICT."""
    return attribute(2, number(1, code) + (name(2, chain) if chain else b""))


def expression(kind: str, *attributes: bytes) -> bytes:
    """One element of NFTA_RULE_EXPRESSIONS."""
    return attribute(1, name(1, kind) + attribute(2, b"".join(attributes)))


def rule(*expressions: bytes, comment: str = "") -> bytes:
    """A rule's attributes."""
    text = comment.encode() + b"\0"
    userdata = attribute(7, bytes([0, len(text)]) + text) if comment else b""
    return attribute(3, (7).to_bytes(8, "big")) + attribute(4, b"".join(expressions)) + userdata


def payload(base: int, offset: int, size: int, register: int = R1) -> bytes:
    """Load a part of the packet."""
    return expression("payload", number(1, register), number(2, base), number(3, offset), number(4, size))


def cmp(data: bytes, operation: int = EQ, register: int = R1) -> bytes:
    """Compare with a constant."""
    return expression("cmp", number(1, register), number(2, operation), attribute(3, value(data)))


def meta(key: int, register: int = R1) -> bytes:
    """Load what the kernel knows beside the packet."""
    return expression("meta", number(2, key), number(1, register))


def decide(code: int, chain: str = "") -> bytes:
    """A verdict."""
    return expression("immediate", number(1, 0), attribute(2, verdict(code, chain)))


def constant(data: bytes, register: int = R1) -> bytes:
    """A constant into a register."""
    return expression("immediate", number(1, register), attribute(2, value(data)))


def lookup(which: str, *more: bytes) -> bytes:
    """Look the first register up."""
    return expression("lookup", name(1, which), number(2, R1), *more)


def numgen(modulus: int) -> bytes:
    """A number by chance."""
    return expression("numgen", number(1, R1), number(2, modulus), number(3, 1))


def port(number_: int) -> bytes:
    """In network order."""
    return number_.to_bytes(2, "big")


def element(key: bytes, *more: bytes) -> bytes:
    """One element of a set."""
    return attribute(1, value(key)) + b"".join(more)


def a_set(which: str, elements: Iterable[bytes], key_length: int = 4, flags: int = 0) -> NftSet:
    """A set or map."""
    message = name(2, which) + number(3, flags) + number(5, key_length)
    return NftSet(family=2, table="t", name=which, message=message, elements=tuple(elements))


def chains(**rules: tuple[bytes, ...]) -> tuple[NftChain, ...]:
    """Chains of table `ip t`; `base` hangs at forward and drops by policy where its name says so."""
    return tuple(
        NftChain(
            family=2,
            table="t",
            name=which,
            handle=index,
            hook=NftHook(number=2, priority=0, type="filter", policy=0 if which == "base_drop" else 1)
            if which.startswith("base")
            else None,
            rules=listed,
        )
        for index, (which, listed) in enumerate(rules.items(), start=1)
    )


PACKET = Packet(source=CLIENT, destination=SERVER, protocol=TCP, sport=40000, dport=80)


def walked(
    made: tuple[NftChain, ...], packet: Packet = PACKET, sets: tuple[NftSet, ...] = ()
) -> list[Outcome]:
    """All outcomes of the first chain."""
    nftables = Nftables(generation=1, chains=made, sets=sets)
    state = RecordedNamespace(NetworkNamespace(identity=1, is_host=True, nftables=nftables))
    here = Here(node="n", state=state, hook=Hook.FORWARD)
    return list(run_base(here, made[0], packet, None))


def told(outcome: Outcome) -> list[str]:
    """Each step's kind and the rule it rests on."""
    return [
        f"{step.kind} {step.because[0].key.removeprefix('n t/')}" if step.because else step.kind
        for step in outcome.history or ()
    ]
