"""Values as `nft list ruleset` prints them: a type's name and bytes become words.

Kernel: the types are nft's own (its include/datatype.h numbers stand in NFTA_SET_KEY_TYPE)
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.snapshot.nftables_messages import (
    ACCEPT,
    CONTINUE,
    DROP,
    GOTO,
    JUMP,
    QUEUE,
    RETURN,
    Verdict,
)

PROTOCOLS = {
    1: "icmp", 2: "igmp", 4: "ipencap", 6: "tcp", 17: "udp", 33: "dccp", 41: "ipv6", 47: "gre", 50: "esp",
    51: "ah", 58: "ipv6-icmp", 108: "ipcomp", 132: "sctp", 136: "udplite",
}  # fmt: skip
ETHER_TYPES = {0x0800: "ip", 0x86DD: "ip6", 0x0806: "arp", 0x8100: "8021q"}
FAMILIES = {2: "ipv4", 10: "ipv6"}
CT_STATES = {1: "invalid", 8: "new", 2: "established", 4: "related", 64: "untracked"}
CT_STATUSES = {
    1: "expected", 2: "seen-reply", 4: "assured", 8: "confirmed", 16: "snat", 32: "dnat", 512: "dying",
}  # fmt: skip
TCP_FLAGS = {1: "fin", 2: "syn", 4: "rst", 8: "psh", 16: "ack", 32: "urg", 64: "ecn", 128: "cwr"}
ADDRESS_TYPES = {
    0: "unspec", 1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole",
    7: "unreachable", 8: "prohibit",
}  # fmt: skip
PACKET_TYPES = {0: "host", 1: "broadcast", 2: "multicast", 3: "other"}
ICMP_TYPES = {
    0: "echo-reply", 3: "destination-unreachable", 4: "source-quench", 5: "redirect", 8: "echo-request",
    9: "router-advertisement", 10: "router-solicitation", 11: "time-exceeded", 12: "parameter-problem",
    13: "timestamp-request", 14: "timestamp-reply", 15: "info-request", 16: "info-reply",
    17: "address-mask-request", 18: "address-mask-reply",
}  # fmt: skip
ICMP6_TYPES = {
    1: "destination-unreachable", 2: "packet-too-big", 3: "time-exceeded", 4: "parameter-problem",
    128: "echo-request", 129: "echo-reply", 130: "mld-listener-query", 131: "mld-listener-report",
    132: "mld-listener-done", 133: "nd-router-solicit", 134: "nd-router-advert", 135: "nd-neighbor-solicit",
    136: "nd-neighbor-advert", 137: "nd-redirect", 138: "router-renumbering", 143: "mld2-listener-report",
}  # fmt: skip
ICMP_CODES = {
    0: "net-unreachable", 1: "host-unreachable", 2: "prot-unreachable", 3: "port-unreachable",
    4: "frag-needed", 9: "net-prohibited", 10: "host-prohibited", 13: "admin-prohibited",
}  # fmt: skip
ICMP6_CODES = {
    0: "no-route", 1: "admin-prohibited", 3: "addr-unreachable", 4: "port-unreachable", 5: "policy-fail",
    6: "reject-route",
}  # fmt: skip
DSCP = {
    0: "cs0", 8: "cs1", 16: "cs2", 24: "cs3", 32: "cs4", 40: "cs5", 48: "cs6", 56: "cs7", 1: "lephb",
    10: "af11", 12: "af12", 14: "af13", 18: "af21", 20: "af22", 22: "af23", 26: "af31", 28: "af32",
    30: "af33", 34: "af41", 36: "af42", 38: "af43", 46: "ef", 44: "va",
}  # fmt: skip
BITMASKS: Mapping[str, Mapping[int, str]] = {
    "ct_state": CT_STATES,
    "ct_status": CT_STATUSES,
    "tcp_flag": TCP_FLAGS,
}
"""Types of which a value is a set of flags, in nft's order of naming them."""

HOST_ORDER = frozenset(
    {
        "mark",
        "ifindex",
        "ct_state",
        "ct_status",
        "ct_label",
        "fib_addrtype",
        "uid",
        "gid",
        "host",
        "realm",
        "boolean",
        "iface_type",
        "time",
    }
)
"""Types whose bytes stand in the machine's order."""

SET_TYPES = {
    1: "verdict", 2: "nf_proto", 4: "integer", 5: "string", 7: "ipv4_addr", 8: "ipv6_addr", 9: "ether_addr",
    10: "ether_type", 12: "inet_proto", 13: "inet_service", 14: "icmp_type", 15: "tcp_flag", 18: "time",
    19: "mark", 20: "ifindex", 22: "realm", 23: "classid", 24: "uid", 25: "gid", 26: "ct_state",
    27: "ct_dir", 28: "ct_status", 29: "icmp6_type", 30: "ct_label", 31: "pkt_type", 36: "dscp",
    38: "fib_addrtype", 41: "ifname",
}  # fmt: skip
SIZES = {
    "ipv4_addr": 4, "ipv6_addr": 16, "ether_addr": 6, "ether_type": 2, "inet_proto": 1, "inet_service": 2,
    "mark": 4, "ifname": 16, "ifindex": 4, "icmp_type": 1, "icmp6_type": 1, "nf_proto": 1, "tcp_flag": 1,
    "ct_state": 4, "ct_status": 4, "uid": 4, "gid": 4, "pkt_type": 1, "fib_addrtype": 4, "dscp": 1, "ct_dir": 1,
    "realm": 4, "classid": 4, "ct_label": 16, "time": 8,
}  # fmt: skip
BITS_OF_A_TYPE = 6


def set_types(code: int) -> tuple[str, ...]:
    """The types that NFTA_SET_KEY_TYPE or NFTA_SET_DATA_TYPE names, in order."""
    names: list[str] = []
    while code > 0:
        names.insert(0, SET_TYPES.get(code & 0x3F, "integer"))
        code >>= BITS_OF_A_TYPE
    return tuple(names)


def as_number(kind: str, value: bytes) -> int:
    """The value in the byte order of its type."""
    return int.from_bytes(value, "little" if kind in HOST_ORDER else "big")


def value_words(kind: str, value: bytes) -> str:
    """One value."""
    writer = _WRITERS.get(kind)
    if writer is not None:
        return writer(value)
    number = as_number(kind, value)
    if kind in BITMASKS:
        return flags_words(kind, number)
    names = _NAMES.get(kind)
    return str(number) if names is None else names.get(number, str(number))


def flags_words(kind: str, number: int, joint: str = ",") -> str:
    """`established,related`."""
    names = [name for bit, name in BITMASKS[kind].items() if number & bit]
    return joint.join(names) if names else f"0x{number:x}"


def data_words(kinds: tuple[str, ...], value: bytes) -> str:
    """A value that may be a concatenation."""
    if len(kinds) <= 1:
        return value_words(kinds[0] if kinds else "integer", value)
    return " . ".join(value_words(kind, part) for kind, part in zip(kinds, parts(kinds, value), strict=True))


def parts(kinds: tuple[str, ...], value: bytes) -> list[bytes]:
    """The parts of a concatenation; each begins at a whole register."""
    found, position = [], 0
    for kind in kinds:
        size = SIZES.get(kind, 4)
        found.append(value[position : position + size])
        position += (size + 3) & ~3
    return found


def verdict_words(verdict: Verdict) -> str:
    """`accept`, `goto X` and the like."""
    simple = {DROP: "drop", ACCEPT: "accept", CONTINUE: "continue", RETURN: "return"}
    if verdict.code in simple:
        return simple[verdict.code]
    if verdict.code in {JUMP, GOTO}:
        return f"{'jump' if verdict.code == JUMP else 'goto'} {verdict.chain}"
    return "queue" if verdict.code & 0xFF == QUEUE else f"verdict {verdict.code}"


def time_words(milliseconds: int) -> str:
    """`1h30m`."""
    seconds, rest = divmod(milliseconds, 1000)
    text = ""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, seconds = divmod(seconds, unit)
        text += f"{count}{name}" if count else ""
    return text + (f"{rest}ms" if rest else "")


def quoted(text: str) -> str:
    """A string as nft prints it."""
    return f'"{text}"'


def _name(value: bytes) -> str:
    text = value.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    return quoted(text if len(value) >= 16 or b"\0" in value else f"{text}*")


def _hexadecimal(value: bytes) -> str:
    return f"0x{int.from_bytes(value, 'little'):08x}"


_WRITERS: Mapping[str, Callable[[bytes], str]] = {
    "ipv4_addr": lambda value: str(IPv4Address(value.ljust(4, b"\0"))),
    "ipv6_addr": lambda value: str(IPv6Address(value.ljust(16, b"\0"))),
    "ether_addr": lambda value: ":".join(f"{byte:02x}" for byte in value),
    "ifname": _name,
    "string": _name,
    "mark": _hexadecimal,
    "time": lambda value: time_words(int.from_bytes(value, "little")),
}
_NAMES: Mapping[str, Mapping[int, str]] = {
    "inet_proto": PROTOCOLS,
    "ether_type": ETHER_TYPES,
    "nf_proto": FAMILIES,
    "fib_addrtype": ADDRESS_TYPES,
    "pkt_type": PACKET_TYPES,
    "icmp_type": ICMP_TYPES,
    "icmp6_type": ICMP6_TYPES,
    "ct_dir": {0: "original", 1: "reply"},
    "dscp": DSCP,
    "ecn": {0: "not-ect", 1: "ect1", 2: "ect0", 3: "ce"},
    "boolean": {0: "missing", 1: "exists"},
    "icmp_code": ICMP_CODES,
    "icmp6_code": ICMP6_CODES,
    "iface_type": {
        1: "ether",
        512: "ppp",
        768: "ipip",
        769: "ip6tnl",
        772: "loopback",
        776: "sit",
        778: "ipgre",
    },
}
