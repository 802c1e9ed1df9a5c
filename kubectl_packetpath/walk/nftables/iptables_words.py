"""A rule of iptables' nft back end, as `iptables-save` prints it.

It keeps some options as native expressions and the others as the structures of iptables.

Kernel: net/netfilter/nft_compat.c; the shapes are those that iptables-nft itself writes
"""

from dataclasses import dataclass, field
from ipaddress import ip_address

from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.snapshot.nftables_messages import (
    ACCEPT,
    DROP,
    GOTO,
    JUMP,
    QUEUE,
    RETURN,
    VERDICT_MASK,
    Verdict,
)
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.nftables.expressions import bitwise, cmp, immediate, limit, log, meta, payload
from kubectl_packetpath.walk.nftables.expressions import range as between
from kubectl_packetpath.walk.nftables.program import Instruction
from kubectl_packetpath.walk.xtables.evaluate import match_words, target_words
from kubectl_packetpath.walk.xtables.extension import Extension
from kubectl_packetpath.walk.xtables.fields import device_pattern, marks, negation, network, quoted
from kubectl_packetpath.walk.xtables.words import PROTOCOLS

ADDRESSES = {4: {12: "-s", 16: "-d"}, 6: {8: "-s", 24: "-d"}}
PROTOCOL_AT = {4: 9, 6: 6}
HEAD_ORDER = ("-s", "-d", "-i", "-o", "-p", "-f")
IIFNAME, OIFNAME, L4PROTO, MARK, PKTTYPE, SKUID, SKGID = 6, 7, 16, 3, 19, 10, 11
NOT_EQUAL = 1
VERDICTS = {ACCEPT: "ACCEPT", DROP: "DROP", QUEUE: "QUEUE", RETURN: "RETURN"}


@dataclass(slots=True, kw_only=True)
class _Line:
    """What has been said so far."""

    family: int
    head: dict[str, str] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    loads: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    """Per slot: `payload` and its place, or `meta` and its key."""
    masks: dict[int, bytes] = field(default_factory=dict)
    protocol: str = ""
    ports: list[str] = field(default_factory=list)
    target: str = ""

    def load(self, slot: int, what: tuple[str, int, int]) -> None:
        """A register is filled."""
        self.loads[slot] = what
        self.masks.pop(slot, None)


def iptables_words(
    state: NamespaceState, chain: NftChain, program: tuple[Instruction, ...], comment: str
) -> str:
    """The whole line, without counters."""
    line = _Line(family=4 if chain.family == 2 else 6)
    for each in program:
        _say(state, line, each)
    _flush_ports(line)
    if comment and not any(text.startswith("-m comment") for text in line.body):
        line.body.append(f"-m comment --comment {quoted(comment)}")
    head = [line.head[option] for option in HEAD_ORDER if option in line.head]
    return " ".join(part for part in (f"-A {chain.name}", *head, *line.body, line.target) if part)


def _say(state: NamespaceState, line: _Line, each: Instruction) -> None:
    match each.spec:
        case Extension() if each.name == "match":
            _flush_ports(line)
            line.body += match_words(state, line.family, each.spec)
        case Extension():
            line.target = " ".join(part for part in target_words(state, line.family, each.spec) if part)
        case payload.Spec(to=int(to)) as loaded:
            line.load(to, (f"payload {loaded.base}", loaded.offset, loaded.size))
        case meta.Spec(to=int(to)) as loaded:
            line.load(to, ("meta", loaded.key, 4))
        case bitwise.Spec() as masking:
            line.loads[masking.to] = line.loads.get(masking.source, ("?", 0, 4))
            line.masks[masking.to] = masking.mask
        case cmp.Spec() as comparison:
            _compare(line, comparison)
        case between.Spec() as span:
            place = line.loads.get(span.slot, ("?", 0, 0))
            _port(line, place[1], f"{_number(span.first)}:{_number(span.last)}", invert=span.invert)
        case _:
            _act(line, each)


def _act(line: _Line, each: Instruction) -> None:
    """What the rule does, besides the targets that iptables has for itself."""
    match each.spec:
        case immediate.Spec(data=Verdict() as verdict):
            line.target = _verdict(verdict)
        case limit.Spec() as rate:
            line.body.append(_limit(rate))
        case log.Spec() as logged:
            line.target = f"-j NFLOG{log.nflog_words(logged)}"
        case meta.Spec(key=meta.NFTRACE):
            line.target = "-j TRACE"
        case _ if each.name not in {"counter", "immediate"}:
            raise ValueError(f"iptables makes no {each.name}")


def _compare(line: _Line, spec: cmp.Spec) -> None:
    kind, place, size = line.loads.get(spec.slot, ("?", 0, 0))
    invert, mask = spec.operation == NOT_EQUAL, line.masks.get(spec.slot)
    if kind == "meta":
        _compare_meta(line, place, spec.value, mask, invert=invert)
    elif kind == f"payload {payload.NETWORK}" and place in ADDRESSES[line.family]:
        option = ADDRESSES[line.family][place]
        line.head[option] = f"{negation(invert)}{option} {_network(line.family, spec.value, mask, size)}"
    elif kind == f"payload {payload.NETWORK}" and place == PROTOCOL_AT[line.family]:
        _protocol(line, spec.value[0], invert=invert)
    elif kind == f"payload {payload.NETWORK}" and place == 6 and line.family == 4:
        line.head["-f"] = f"{negation(spec.operation == 0)}-f"
    elif kind == f"payload {payload.TRANSPORT}" and size == 4 and len(spec.value) == 4:
        _port(line, 0, str(_number(spec.value[:2])), invert=invert)
        _port(line, 2, str(_number(spec.value[2:])), invert=invert)
    elif kind == f"payload {payload.TRANSPORT}" and place in {0, 2} and size == 2:
        _port(line, place, _bounded(spec.operation, _number(spec.value)), invert=invert)
    elif kind == f"payload {payload.TRANSPORT}" and place == 13:
        line.ports.append(
            f"{negation(invert)}--tcp-flags {_flags((mask or b'?')[0])} {_flags(spec.value[0])}"
        )
    else:
        raise ValueError(f"iptables compares no {kind} {place}")


def _bounded(operation: int, number: int) -> str:
    below, up_to, above, from_ = 2, 3, 4, 5
    spans = {
        below: f"0:{number - 1}", up_to: f"0:{number}",
        above: f"{number + 1}:65535", from_: f"{number}:65535",
    }  # fmt: skip
    return spans.get(operation, str(number))


def _flags(number: int) -> str:
    names = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
    return ",".join(name for bit, name in enumerate(names) if number >> bit & 1) or "NONE"


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _compare_meta(line: _Line, key: int, value: bytes, mask: bytes | None, *, invert: bool) -> None:
    if key in {IIFNAME, OIFNAME}:
        option = "-i" if key == IIFNAME else "-o"
        pattern = device_pattern(value.ljust(16, b"\0"), (b"\xff" * len(value)).ljust(16, b"\0"))
        line.head[option] = f"{negation(invert)}{option} {pattern}"
    elif key == L4PROTO:
        _protocol(line, value[0], invert=invert)
    elif key == MARK:
        number, bits = (int.from_bytes(each, "little") for each in (value, mask or b"\xff" * 4))
        line.body.append(f"-m mark {negation(invert)}--mark {marks(number, bits)}")
    elif key in {SKUID, SKGID}:
        option = "--uid-owner" if key == SKUID else "--gid-owner"
        line.body.append(f"-m owner {negation(invert)}{option} {int.from_bytes(value, 'little')}")
    elif key == PKTTYPE:
        names = {0: "unicast", 1: "broadcast", 2: "multicast"}
        line.body.append(f"-m pkttype {negation(invert)}--pkt-type {names.get(value[0], value[0])}")
    else:
        line.body.append(f"[meta {key} {'!= ' if invert else ''}0x{value.hex()}]")


def _protocol(line: _Line, number: int, *, invert: bool) -> None:
    line.protocol = PROTOCOLS.get(number, str(number))
    line.head["-p"] = f"{negation(invert)}-p {line.protocol}"


def _port(line: _Line, offset: int, text: str, *, invert: bool) -> None:
    option = "--sport" if offset == 0 else "--dport"
    line.ports.append(f"{negation(invert)}{option} {text}")


def _flush_ports(line: _Line) -> None:
    """All options of the protocol's own match, together."""
    if line.ports:
        line.body.append(f"-m {line.protocol or 'tcp'} {' '.join(line.ports)}")
        line.ports.clear()


def _network(family: int, value: bytes, mask: bytes | None, size: int) -> str:
    whole = 4 if family == 4 else 16
    bits = mask if mask is not None else b"\xff" * size
    return network(ip_address(value.ljust(whole, b"\0")), ip_address(bits.ljust(whole, b"\0")))


def _limit(spec: limit.Spec) -> str:
    unit = {1: "sec", 60: "min", 3600: "hour", 86400: "day"}.get(spec.unit, str(spec.unit))
    burst = f" --limit-burst {spec.burst}" if spec.burst not in {0, 5} else ""
    return f"-m limit --limit {spec.rate}/{unit}{burst}"


def _verdict(verdict: Verdict) -> str:
    if verdict.code in {JUMP, GOTO}:
        return f"{'-j' if verdict.code == JUMP else '-g'} {verdict.chain}"
    return f"-j {VERDICTS.get(verdict.code) or VERDICTS.get(verdict.code & VERDICT_MASK, str(verdict.code))}"
