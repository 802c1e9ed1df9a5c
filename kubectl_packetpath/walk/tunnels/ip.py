"""Tunnels that put an IP header in front of a packet, alone (IPIP, SIT, ip6tnl) or with a GRE header.

A tunnel without a peer sends to the gateway of the packet's route: so flannel's ipip and Calico reach all nodes by
one device.

Kernel: net/ipv4/ip_tunnel.c ip_tunnel_xmit, ipip.c, ip_gre.c, net/ipv6/sit.c, ip6_tunnel.c, ip6_gre.c
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Link, Tunnel
from kubectl_packetpath.trace import Fact
from kubectl_packetpath.walk.here import unknown
from kubectl_packetpath.walk.place import Departure, Place
from kubectl_packetpath.walk.settings import default_ttl
from kubectl_packetpath.walk.tables import tables_of
from kubectl_packetpath.walk.tunnels.headers import ETHERNET_BYTES, ip_bytes, outer_tos
from kubectl_packetpath.walk.tunnels.wrapping import Wrapping, lost

IPV4_IN_IP, IPV6_IN_IP, GRE = 4, 41, 47
GRE_BYTES, FIELD_BYTES, LIMIT_BYTES = 4, 4, 8
INHERITED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a kind of device puts in front of a packet."""

    family: int
    """Of the outer header."""
    gre: bool = False
    frames: bool = False
    """It carries frames, link addresses and all."""


SHAPES: Mapping[str, Shape] = {
    "ipip": Shape(family=4),
    "sit": Shape(family=4),
    "ip6tnl": Shape(family=6),
    "gre": Shape(family=4, gre=True),
    "gretap": Shape(family=4, gre=True, frames=True),
    "ip6gre": Shape(family=6, gre=True),
    "ip6gretap": Shape(family=6, gre=True, frames=True),
}
CARRIED: Mapping[str, set[int]] = {"ipip": {4}, "sit": {4, 6}, "ip6tnl": {4, 6}}


def wrap(place: Place, departure: Departure, device: Link) -> Iterator[Wrapping]:
    """Send the packet to the tunnel's peer, or to the gateway of its route."""
    outcome, settings = departure.outcome, device.tunnel
    inner = outcome.packet
    name = f"{place.node.name} {device.name}"
    if settings is None or settings.collect_metadata or settings.encapsulation:
        text = f"{name}: a {device.kind} device in external mode, or in UDP, is not modelled"
        yield Wrapping(outcome=unknown(outcome, text), tunnel=device)
        return
    if inner.family not in (CARRIED["sit"] if device.kind == "sit" else families(device)):
        reason = f"the {device.kind} device {device.name} does not carry IPv{inner.family}"
        yield Wrapping(outcome=lost(outcome, reason, (link_fact(place, device),)), tunnel=device)
        return
    destination = settings.remote or _by_route(place, departure, device)
    if destination is None:
        text = f"{name}: to whom a {device.kind} device without a peer sends this is not modelled"
        yield Wrapping(outcome=unknown(outcome, text), tunnel=device)
        return
    outer = _outer(place, inner, device, destination)
    bound_to = tables_of(place.state).links.get(settings.underlay or 0)
    yield Wrapping(
        outcome=outcome,
        tunnel=device,
        outer=outer,
        bound_to=bound_to,
        mark=settings.mark,
        because=(link_fact(place, device),),
    )


def families(device: Link) -> set[int]:
    """The IP versions that the device is made for. A SIT device takes no other, though it sends both."""
    able = CARRIED.get(device.kind, {4, 6})
    named = device.tunnel.protocol if device.tunnel is not None else None
    return able & {{IPV4_IN_IP: 4, IPV6_IN_IP: 6}[named]} if named in {IPV4_IN_IP, IPV6_IN_IP} else able


def _by_route(place: Place, departure: Departure, device: Link) -> Address | None:
    """The outer destination of a tunnel without a peer: the gateway, or else what the packet itself is for."""
    shape = SHAPES[device.kind]
    next_hop = departure.next_hop or departure.outcome.packet.destination
    if shape.gre:
        return _by_neighbour(place, device, next_hop) if shape.family == 4 else None
    if next_hop.version == shape.family:
        return next_hop
    if shape.family == 4 and isinstance(next_hop, IPv6Address) and int(next_hop) >> 32 == 0:
        return IPv4Address(int(next_hop) & 0xFFFFFFFF)
    return None


def _by_neighbour(place: Place, device: Link, next_hop: Address) -> Address | None:
    """GRE without a peer has its peers' addresses where others have link addresses."""
    neighbours = place.state.neighbours()
    for entry in () if isinstance(neighbours, Absent) else neighbours:
        if (entry.link, entry.address) == (device.index, next_hop) and entry.mac.count(":") == 3:
            return IPv4Address(bytes(int(part, 16) for part in entry.mac.split(":")))
    return None


def _outer(place: Place, inner: Packet, device: Link, destination: Address) -> Packet:
    shape, settings = SHAPES[device.kind], device.tunnel or Tunnel()
    uncut = shape.family == 6 or settings.df == "set"
    if inner.family == 4 and inner.dont_fragment and not settings.ignore_df:
        uncut = True
    return Packet(
        source=settings.local or type(destination)(0),
        destination=destination,
        protocol=GRE if shape.gre else IPV4_IN_IP if inner.family == 4 else IPV6_IN_IP,
        ttl=settings.ttl or inner.ttl or default_ttl(place.state, shape.family),
        tos=outer_tos(settings.tos, inner),
        size_bytes=inner.size_bytes + overhead(device),
        dont_fragment=uncut,
        mark=inner.mark,
        priority=inner.priority,
        uid=inner.uid,
        gid=inner.gid,
        inner=inner,
        encapsulation=device.kind,
        vni=settings.key,
    )


def overhead(device: Link) -> int:
    """Bytes in front of the inner IP packet."""
    shape, settings = SHAPES[device.kind], device.tunnel or Tunnel()
    length = ip_bytes(shape.family) + (ETHERNET_BYTES if shape.frames else 0)
    if shape.gre:
        fields = (settings.key is not None, settings.checksum, settings.sequence)
        length += GRE_BYTES + FIELD_BYTES * sum(fields)
    return length + (LIMIT_BYTES if settings.encapsulation_limit is not None else 0)


def link_fact(place: Place, device: Link) -> Fact:
    """The device much as `ip -d link` prints it."""
    settings = device.tunnel or Tunnel()
    words = [device.name, f"mtu {device.mtu}", "UP" if device.is_up else "DOWN", device.kind]
    words += [f"remote {settings.remote or 'any'}", f"local {settings.local or 'any'}"]
    words += [f"ikey {settings.input_key}"] if settings.input_key is not None else []
    words += [f"okey {settings.key}"] if settings.key is not None else []
    words += [f"fwmark {settings.mark:#x}"] if settings.mark else []
    return Fact(section="link", key=f"{place.node.name} link {device.name}", text=" ".join(words))
