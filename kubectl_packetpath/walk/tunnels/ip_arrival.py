"""Which tunnel device takes an IPIP, SIT, ip6tnl or GRE packet that came to an address of this host.

The most specific one by its own and its peer's address; in a namespace that ever had such a tunnel, the kernel's
own device without addresses (`tunl0`, `gre0`, …) takes the rest if it is up.

Kernel: net/ipv4/ip_tunnel.c ip_tunnel_lookup, ipip.c tunnel_rcv, net/ipv6/ip6_tunnel.c ip6_tnl_lookup
"""

from collections.abc import Callable

from kubectl_packetpath.packet import PROTOCOL_NAMES, Packet
from kubectl_packetpath.snapshot.links import Link, Tunnel
from kubectl_packetpath.trace import Outcome
from kubectl_packetpath.walk.here import unknown
from kubectl_packetpath.walk.place import Departure, Place
from kubectl_packetpath.walk.tables import tables_of
from kubectl_packetpath.walk.tunnels.ip import GRE, SHAPES, families, link_fact
from kubectl_packetpath.walk.tunnels.wrapping import lost, unwrapped

KINDS_FOR = {
    (4, 4): ("ipip", "sit"),
    (4, 41): ("sit",),
    (6, 4): ("ip6tnl",),
    (6, 41): ("ip6tnl",),
    (4, GRE): ("gre", "gretap"),
    (6, GRE): ("ip6gre", "ip6gretap"),
}
"""By outer family and protocol."""


def unwrap(place: Place, outcome: Outcome) -> Departure:
    """Give the packet to the device that is made for its two addresses."""
    outer, inner = outcome.packet, outcome.packet.inner
    if inner is None:
        raise ValueError("nothing to unwrap")
    frames = SHAPES[outer.encapsulation].frames
    kinds = KINDS_FOR.get((outer.family, outer.protocol), ())
    links = [
        link
        for link in tables_of(place.state).links.values()
        if link.kind in kinds and SHAPES[link.kind].frames == frames and inner.family in families(link)
    ]
    device = _chosen([link for link in links if link.is_up], outer)
    if device is None:
        return Departure(outcome=_nobody(place, outcome, links))
    if device.tunnel is None or device.tunnel.collect_metadata or device.tunnel.encapsulation:
        text = f"{place.node.name} {device.name}: a {device.kind} device in external mode, or in UDP, is not modelled"
        return Departure(outcome=unknown(outcome, text, (link_fact(place, device),)))
    return unwrapped(outcome, device, (link_fact(place, device),))


def _chosen(links: list[Link], outer: Packet) -> Link | None:
    """Both addresses, then the peer's, then our own, then none; last the device for everything."""

    def fits(test: Callable[[Tunnel], bool]) -> Link | None:
        return next((link for link in links if link.tunnel is not None and test(link.tunnel)), None)

    def keyed(tunnel: Tunnel) -> bool:
        return tunnel.input_key == outer.vni and not tunnel.collect_metadata

    ours, theirs = outer.destination, outer.source
    orders: tuple[Callable[[Tunnel], bool], ...] = (
        lambda t: keyed(t) and (t.local, t.remote) == (ours, theirs),
        lambda t: keyed(t) and (t.local, t.remote) == (None, theirs),
        lambda t: keyed(t) and (t.local, t.remote) == (ours, None),
        lambda t: keyed(t) and (t.local, t.remote) == (None, None),
        lambda t: t.collect_metadata,
    )
    found = (fits(test) for test in orders)
    return next((link for link in found if link is not None), None)


def _nobody(place: Place, outcome: Outcome, links: list[Link]) -> Outcome:
    outer = outcome.packet
    name = PROTOCOL_NAMES.get(outer.protocol, str(outer.protocol))
    key = f" with key {outer.vni}" if outer.vni is not None else ""
    reason = (
        f"no tunnel device of {place.node.name} takes {name} from {outer.source} to {outer.destination}{key}"
    )
    if links:
        reason += f" ({', '.join(link_fact(place, link).text for link in links)})"
    return lost(outcome, reason, tuple(link_fact(place, link) for link in links), remedy="ip -d tunnel show")
