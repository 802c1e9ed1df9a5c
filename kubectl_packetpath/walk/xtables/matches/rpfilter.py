"""The rpfilter match: whether an answer would leave by the device that the packet came by.

Kernel: net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk import routing
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.routing import RouteQuery, Way
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided, inverted

LOOSE, VALID_MARK, ACCEPT_LOCAL, INVERT = 1, 2, 4, 8


def unpack(extension: Extension, family: int) -> int:
    """Read `xt_rpfilter_info`: flags."""
    del family
    return extension.data[0]


def holds(spec: int, here: Here, packet: Packet) -> Decision:
    """Look up the way back."""
    return inverted(_has_way_back(spec, here, packet), bool(spec & INVERT))


def _has_way_back(spec: int, here: Here, packet: Packet) -> Decision:
    device = here.in_device
    if device is None or device.is_loopback:
        return True
    if packet.source.is_unspecified:
        return packet.destination.is_multicast or int(packet.destination) == 0xFFFFFFFF
    query = RouteQuery(
        destination=packet.source,
        source=None if packet.destination.is_multicast else packet.destination,
        mark=packet.mark if spec & VALID_MARK else 0,
        tos=packet.tos,
        oif=device if packet.family == 6 and not spec & LOOSE else None,
        ignore_linkstate=True,
    )
    ways = routing.fib_lookup(here.state, query)
    if doubts := [text for way in ways for text in way.assumed]:
        return Undecided("; ".join(doubts))
    kinds = {way.type for way in ways}
    if kinds == {"local"}:
        return bool(spec & ACCEPT_LOCAL) and (
            bool(spec & LOOSE) or packet.family == 6 or any(_by(way, device.index) for way in ways)
        )
    if kinds != {"unicast"}:
        return False
    return bool(spec & LOOSE) or any(_by(way, device.index) for way in ways)


def _by(way: Way, index: int) -> bool:
    return way.device is not None and way.device.index == index


def words(spec: int) -> str:
    """`--loose --validmark`."""
    options = (
        (LOOSE, "--loose"),
        (VALID_MARK, "--validmark"),
        (ACCEPT_LOCAL, "--accept-local"),
        (INVERT, "--invert"),
    )
    return " ".join(text for bit, text in options if spec & bit)


MATCH = Match(name="rpfilter", unpack=unpack, holds=holds, words=words)
