"""A rule as `iptables-save` prints it, so that a user finds it again."""

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.xtables.evaluate import match_words, target_words
from kubectl_packetpath.walk.xtables.extension import Extension
from kubectl_packetpath.walk.xtables.fields import device_pattern, negation, network
from kubectl_packetpath.walk.xtables.rule import (
    FRAGMENT4,
    INVERT_DESTINATION,
    INVERT_FRAGMENT,
    INVERT_IN,
    INVERT_OUT,
    INVERT_PROTOCOL,
    INVERT_SOURCE,
    Jump,
    NoTarget,
    Rule,
    Standard,
)

PROTOCOLS = {
    1: "icmp", 2: "igmp", 4: "ipencap", 6: "tcp", 17: "udp", 33: "dccp", 41: "ipv6", 47: "gre", 50: "esp",
    51: "ah", 58: "ipv6-icmp", 89: "ospf", 112: "vrrp", 132: "sctp", 135: "mobility-header", 136: "udplite",
}  # fmt: skip


def rule_words(state: NamespaceState, table: str, chain: str, rule: Rule) -> str:
    """The whole line, without counters."""
    parts = [f"-A {chain}", *head_words(rule)]
    for match in rule.matches:
        parts += match_words(state, rule.family, match)
    parts += _target(state, table, rule)
    return " ".join(part for part in parts if part)


def head_words(rule: Rule) -> list[str]:
    """Addresses, devices and protocol."""
    parts = [
        _address("-s", rule.source, bool(rule.invert & INVERT_SOURCE)),
        _address("-d", rule.destination, bool(rule.invert & INVERT_DESTINATION)),
        _device("-i", rule.in_device, bool(rule.invert & INVERT_IN)),
        _device("-o", rule.out_device, bool(rule.invert & INVERT_OUT)),
    ]
    if rule.protocol:
        name = PROTOCOLS.get(rule.protocol, str(rule.protocol))
        parts.append(f"{negation(bool(rule.invert & INVERT_PROTOCOL))}-p {name}")
    if rule.family == 4 and rule.flags & FRAGMENT4:
        parts.append(f"{negation(bool(rule.invert & INVERT_FRAGMENT))}-f")
    return parts


def _address(option: str, wanted: tuple[Address, Address], invert: bool) -> str:
    address, mask = wanted
    if not int(mask) and not int(address) and not invert:
        return ""
    return f"{negation(invert)}{option} {network(address, mask)}"


def _device(option: str, wanted: tuple[bytes, bytes], invert: bool) -> str:
    pattern, mask = wanted
    if not mask[0]:
        return ""
    return f"{negation(invert)}{option} {device_pattern(pattern, mask)}"


def _target(state: NamespaceState, table: str, rule: Rule) -> list[str]:
    match rule.target:
        case NoTarget():
            return []
        case Standard(name=name):
            return [f"-j {name}"]
        case Jump(offset=offset, goto=goto):
            chain = state.legacy_chain(rule.family, table, offset)
            name = "[not known]" if isinstance(chain, Absent) else chain.name
            return [f"{'-g' if goto else '-j'} {name}"]
        case Extension() as target:
            return list(target_words(state, rule.family, target))
