"""A frame at a device whose wire others share: macvlan devices take it by link address, ipvlan devices by IP address.

Kernel: drivers/net/macvlan.c macvlan_handle_frame, drivers/net/ipvlan/ipvlan_core.c ipvlan_handle_frame
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Outcome
from kubectl_packetpath.walk.arp import answers
from kubectl_packetpath.walk.here import unknown
from kubectl_packetpath.walk.input_route import NO_ROUTE_TYPES, query_for
from kubectl_packetpath.walk.place import Departure, Place
from kubectl_packetpath.walk.routing import fib_lookup
from kubectl_packetpath.walk.segment import Station, sharers
from kubectl_packetpath.walk.tables import tables_of


def given_up(place: Place, outcome: Outcome, device: Link) -> Departure | None:
    """To the device on top of this one that takes the frame; None: it is for this host itself."""
    taker = _taker(place, outcome.packet, device)
    if taker is None:
        return None
    if taker.link.kind == "ipvlan" and taker.link.mode != "l2":
        text = f"{place.node.name} {taker.link.kind} device {taker.link.name}: mode {taker.link.mode} is not modelled"
        return Departure(outcome=unknown(outcome, text))
    return Departure(outcome=outcome, device=taker.link, into=taker.state)


def is_for(packet: Packet, station: Station) -> bool:
    """Whether a frame with this packet is for the device."""
    if station.link.kind == "ipvlan":
        return _has(station, packet)
    return bool(packet.destination_mac) and station.link.mac == packet.destination_mac


def _has(station: Station, packet: Packet) -> bool:
    """An ipvlan device has its addresses only: it is no router for others."""
    if station.state is None:
        return False
    entries = tables_of(station.state).addresses.get(station.link.index, ())
    return any(entry.address == packet.destination for entry in entries)


def _taker(place: Place, packet: Packet, device: Link) -> Station | None:
    if not _may_be_for_another(place, packet, device):
        return None
    others = list(sharers(place.node, place.state, device))
    if not others or others[0].link.mode == "passthru":
        return others[0] if others else None
    if others[0].link.kind == "ipvlan":
        return next((each for each in others if is_for(packet, each)), None)
    if packet.destination_mac:
        own = packet.destination_mac == device.mac
        return next((each for each in others if not own and is_for(packet, each)), None)
    wanted = packet.asked or packet.destination
    if answers(place.state, device, wanted):
        return None
    return next((o for o in others if o.state is not None and answers(o.state, o.link, wanted)), None)


def _may_be_for_another(place: Place, packet: Packet, device: Link) -> bool:
    """Not for this host by its link address, nor by where this host would send it."""
    if packet.destination_mac and packet.destination_mac != device.mac:
        return True
    way = fib_lookup(place.state, query_for(packet, device))[0]
    if way.type != "unicast":
        return way.type in NO_ROUTE_TYPES
    return way.device is None or way.device.index == device.index
