"""Names of header fields, as nft has them.

Kernel: nft's own tables (its src/proto.c)
"""

from typing import NamedTuple

from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

LINK, NETWORK, TRANSPORT = 0, 1, 2
IPV4, IPV6 = 2, 10


class _Field(NamedTuple):
    text: str
    kind: str
    size: int


_IP = {
    0: _Field("ip version", "integer", 1), 1: _Field("ip dscp", "dscp", 1), 2: _Field("ip length", "integer", 2),
    4: _Field("ip id", "integer", 2), 6: _Field("ip frag-off", "integer", 2), 8: _Field("ip ttl", "integer", 1),
    9: _Field("ip protocol", "inet_proto", 1), 10: _Field("ip checksum", "integer", 2),
    12: _Field("ip saddr", "ipv4_addr", 4), 16: _Field("ip daddr", "ipv4_addr", 4),
}  # fmt: skip
_IP6 = {
    0: _Field("ip6 dscp", "dscp", 2), 1: _Field("ip6 flowlabel", "integer", 3),
    4: _Field("ip6 length", "integer", 2), 6: _Field("ip6 nexthdr", "inet_proto", 1),
    7: _Field("ip6 hoplimit", "integer", 1), 8: _Field("ip6 saddr", "ipv6_addr", 16),
    24: _Field("ip6 daddr", "ipv6_addr", 16),
}  # fmt: skip
_ETHER = {
    0: _Field("ether daddr", "ether_addr", 6), 6: _Field("ether saddr", "ether_addr", 6),
    12: _Field("ether type", "ether_type", 2),
}  # fmt: skip
_PORTS = {0: ("sport", "inet_service", 2), 2: ("dport", "inet_service", 2)}
_TRANSPORTS = {
    "tcp": _PORTS | {
        4: ("sequence", "integer", 4), 8: ("ackseq", "integer", 4), 12: ("doff", "integer", 1),
        13: ("flags", "tcp_flag", 1), 14: ("window", "integer", 2), 16: ("checksum", "integer", 2),
        18: ("urgptr", "integer", 2),
    },
    "udp": _PORTS | {4: ("length", "integer", 2), 6: ("checksum", "integer", 2)},
    "sctp": _PORTS | {4: ("vtag", "integer", 4), 8: ("checksum", "integer", 4)},
    "udplite": _PORTS,
    "dccp": _PORTS,
    "icmp": {
        0: ("type", "icmp_type", 1), 1: ("code", "integer", 1), 2: ("checksum", "integer", 2),
        4: ("id", "integer", 2), 6: ("sequence", "integer", 2),
    },
    "ipv6-icmp": {
        0: ("type", "icmp6_type", 1), 1: ("code", "integer", 1), 2: ("checksum", "integer", 2),
        4: ("id", "integer", 2), 6: ("sequence", "integer", 2),
    },
    "": _PORTS,
}  # fmt: skip
_BASES = ("ll", "nh", "th", "ih")
_ADDRESSES = {"ipv4_addr", "ipv6_addr"}


def load_words(base: int, offset: int, size: int, sentence: Sentence) -> Term:
    """What these bytes are called in this rule."""
    field = _field(base, offset, sentence)
    if field is None or (field.size != size and not (field.kind in _ADDRESSES and size < field.size)):
        return Term(text=f"@{_BASES[base]},{offset * 8},{size * 8}", size=size)
    prefix = size * 8 if size < field.size else None
    return Term(text=field.text, kinds=(field.kind,), size=size, prefix=prefix)


def _field(base: int, offset: int, sentence: Sentence) -> _Field | None:
    if base == LINK:
        sentence.needed("link")
        return _ETHER.get(offset)
    if base == NETWORK:
        return _network(sentence).get(offset)
    if base != TRANSPORT:
        return None
    known = _TRANSPORTS.get(sentence.transport)
    row = (known or _PORTS).get(offset)
    if row is None:
        return None
    if known and sentence.transport:
        sentence.needed("transport")
    name = {"ipv6-icmp": "icmpv6", "": "th"}.get(sentence.transport, sentence.transport)
    return _Field(f"{name if known else 'th'} {row[0]}", row[1], row[2])


def _network(sentence: Sentence) -> dict[int, _Field]:
    family = sentence.chain.family
    six = family == IPV6 or (family not in {IPV4, IPV6} and sentence.network == "ip6")
    if family not in {IPV4, IPV6}:
        sentence.needed("network")
    return _IP6 if six else _IP


def write_words(base: int, offset: int, term: Term, sentence: Sentence) -> None:
    """`ip dscp set cs1`."""
    field = _field(base, offset, sentence)
    name = field.text if field is not None else f"@{_BASES[base]},{offset * 8},{term.size * 8}"
    text = term.text if term.value is None else ""
    if term.value is not None:
        from kubectl_packetpath.walk.nftables.values import value_words  # noqa: PLC0415 - rarely needed

        text = value_words(field.kind if field is not None else "integer", term.value)
    sentence.say(f"{name} set {text}")
