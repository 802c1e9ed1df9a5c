"""Names of header fields, as nft has them.

Kernel: nft's own tables (its src/proto.c)
"""

from typing import NamedTuple

from kubectl_packetpath.walk.nftables.sentence import Sentence, Term
from kubectl_packetpath.walk.nftables.values import value_words

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
        0: ("type", "icmp_type", 1), 1: ("code", "icmp_code", 1), 2: ("checksum", "integer", 2),
        4: ("id", "integer", 2), 6: ("sequence", "integer", 2),
    },
    "ipv6-icmp": {
        0: ("type", "icmp6_type", 1), 1: ("code", "icmp6_code", 1), 2: ("checksum", "integer", 2),
        4: ("id", "integer", 2), 6: ("sequence", "integer", 2),
    },
    "": _PORTS,
}  # fmt: skip
_PARTS = {
    ("ip version", 0xFF03): ("ip dscp", "dscp", 2),
    ("ip version", 0xFFFC): ("ip ecn", "ecn", 0),
    ("ip6 dscp", 0xF03F): ("ip6 dscp", "dscp", 6),
}
"""What is written, by the first field and the bits that are kept; name, type and shift."""
_BASES = ("ll", "nh", "th", "ih")
_ADDRESSES = {"ipv4_addr", "ipv6_addr"}


def load_words(base: int, offset: int, size: int, sentence: Sentence) -> Term:
    """What these bytes are called in this rule."""
    field = _field(base, offset, sentence)
    if field is not None and field.size < size:
        pieces = _pieces(base, offset, size, sentence)
        if pieces:
            return Term(text=pieces[0].text, size=size, pieces=pieces)
    if field is None or (field.size != size and not (field.kind in _ADDRESSES and size < field.size)):
        return Term(text=f"@{_BASES[base]},{offset * 8},{size * 8}", size=size)
    prefix = size * 8 if size < field.size else None
    return Term(text=field.text, kinds=(field.kind,), size=size, prefix=prefix)


def _pieces(base: int, offset: int, size: int, sentence: Sentence) -> tuple[Term, ...]:
    """Neighbouring fields that fill these bytes; none where they do not."""
    found, end = [], offset + size
    while offset < end:
        field = _field(base, offset, sentence)
        if field is None or offset + field.size > end:
            return ()
        found.append(Term(text=field.text, kinds=(field.kind,), size=field.size))
        offset += field.size
    return tuple(found)


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
        if sentence.transport in {"icmp", "ipv6-icmp"}:
            sentence.needed("network")
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
    if term.fixed is not None and term.size == 2 and base == NETWORK:
        smaller = _part(field, offset, term.fixed[0], sentence)
        if smaller is not None:
            name, kind, shift = smaller
            value = (term.fixed[1] >> shift).to_bytes(1, "big")
            sentence.say(f"{name} set {value_words(kind, value)}")
            return
    name = field.text if field is not None else f"@{_BASES[base]},{offset * 8},{term.size * 8}"
    kind = field.kind if field is not None else "integer"
    text = term.text if term.value is None else value_words(kind, term.value)
    sentence.say(f"{name} set {text}")


def _part(field: _Field | None, offset: int, kept: int, sentence: Sentence) -> tuple[str, str, int] | None:
    """Which part of two bytes is written, where the others are kept."""
    if field is not None and (field.text, kept) in _PARTS:
        return _PARTS[field.text, kept]
    if kept == 0x00FF and field is not None and field.size == 1:
        return field.text, field.kind, 8
    second = _network(sentence).get(offset + 1)
    return (
        (second.text, second.kind, 0) if kept == 0xFF00 and second is not None and second.size == 1 else None
    )
