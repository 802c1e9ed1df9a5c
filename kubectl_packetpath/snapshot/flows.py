"""Existing connections to one address and port, counted by who answers them.

A busy address has thousands of entries and a handful of endpoints: only the counts and a few samples are kept.

Kernel: include/uapi/linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_tcp.h
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from types import MappingProxyType

from kubectl_packetpath.snapshot import NetworkNamespace
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.conntrack import FlowCount, FlowFilter, FlowKey, Taker
from kubectl_packetpath.snapshot.netlink import NetlinkError, attribute_map

CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_PROTOINFO = 1, 2, 3, 4
IPS_SEEN_REPLY = 0x02
TCP = 6
PORT_PROTOCOLS = {TCP, 17, 132}
OVER = {4, 5, 6, 7, 8}
"""TCP states from FIN_WAIT on: nobody waits for an answer to these."""
MOST_SAMPLES = 3
Flows = Mapping[str, tuple[FlowFilter, ...]]
"""What is to be counted on which node."""
NO_FLOWS: Flows = MappingProxyType({})
MOST_TAKERS = 1000


def counted(entries: Iterable[bytes], key: FlowFilter) -> FlowCount:
    """The entries that the filter lets pass, by who answers them."""
    takers: dict[tuple[object, int], Taker] = {}
    for message in entries:
        try:
            parts = attribute_map(message)
            asked, answer = flow_of(parts[CTA_TUPLE_ORIG]), flow_of(parts[CTA_TUPLE_REPLY])
            over = key.protocol == TCP and _tcp_state(parts) in OVER
        except (NetlinkError, KeyError, ValueError):
            continue
        if (asked.destination, asked.protocol, asked.dport) != (
            key.destination,
            key.protocol,
            key.dport,
        ) or over:
            continue
        place = (answer.source, answer.sport)
        before = takers.get(place)
        if before is None and len(takers) >= MOST_TAKERS:
            continue
        if before is None:
            before = Taker(address=answer.source, port=answer.sport, count=0)
        status = int.from_bytes(parts.get(CTA_STATUS, b""), "big")
        takers[place] = replace(
            before,
            count=before.count + 1,
            unanswered=before.unanswered + (not status & IPS_SEEN_REPLY),
            samples=(*before.samples, message) if len(before.samples) < MOST_SAMPLES else before.samples,
        )
    return FlowCount(key=key, takers=tuple(takers.values()))


def flows_to(namespace: NetworkNamespace, key: FlowFilter) -> FlowCount | None:
    """What a recording knows of existing connections; None: it was not asked."""
    table = namespace.conntrack
    if isinstance(table, Absent):
        return None
    found = next((each for each in table.flows if each.key == key), None)
    if found is not None or isinstance(table.entries, Absent):
        return found
    return counted(table.entries, key)


def flow_of(data: bytes) -> FlowKey:
    """A tuple of the connection table, of a protocol that has ports."""
    parts = attribute_map(data)
    addresses, protocol = attribute_map(parts[1]), attribute_map(parts[2])
    source, destination = (ip_address(addresses[k]) for k in ((1, 2) if 1 in addresses else (3, 4)))
    number = int.from_bytes(protocol[1], "big")
    if number not in PORT_PROTOCOLS:
        raise ValueError(f"protocol {number} has no ports")
    return FlowKey(
        source=source,
        destination=destination,
        protocol=number,
        sport=int.from_bytes(protocol[2], "big"),
        dport=int.from_bytes(protocol[3], "big"),
    )


def _tcp_state(parts: dict[int, bytes]) -> int:
    if CTA_PROTOINFO not in parts:
        return 0
    inner = attribute_map(parts[CTA_PROTOINFO]).get(1, b"")
    return int.from_bytes(attribute_map(inner).get(1, b""), "big")
