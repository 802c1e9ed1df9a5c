"""A frame at a bridge: up to this host, or out by the port that leads to its address.

With br_netfilter, bridged IP packets are shown to the iptables hooks as well, and a DNAT there may send a
frame back out of the port it came by (which hairpin mode must allow) or up to be routed.

Kernel: net/bridge/br_input.c, br_forward.c, br_netfilter_hooks.c
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Ending, Fact, History, Outcome, Step, StepKind, Verdict
from kubectl_packetpath.walk.arp import answers
from kubectl_packetpath.walk.attached import beyond
from kubectl_packetpath.walk.fitting import Sender, fitted
from kubectl_packetpath.walk.forwarding import take_in
from kubectl_packetpath.walk.here import Here, Hook, Outcomes, ended
from kubectl_packetpath.walk.hooks import run_bridge_hook, run_hook
from kubectl_packetpath.walk.input_route import query_for, route_input
from kubectl_packetpath.walk.neighbours import Resolution, resolve, stations_with_mac
from kubectl_packetpath.walk.place import Departure, Place, Ports, assumed, below, noted, with_packet
from kubectl_packetpath.walk.routing import Way, fib_lookup
from kubectl_packetpath.walk.segment import hearers, ports_of
from kubectl_packetpath.walk.settings import number
from kubectl_packetpath.walk.tables import tables_of

Stage = Callable[[Here, Packet, History | None], Outcomes]


def receive_frame(place: Place, outcome: Outcome, bridge: Link, port: Link) -> Iterator[Departure]:
    """A frame came in by a port."""
    if bridge.bridge is not None and bridge.bridge.vlan_filtering:
        outcome = assumed(outcome, f"{place.node.name} {bridge.name}: VLAN filtering is not modelled")
    if not outcome.packet.destination_mac:
        outcome = with_packet(outcome, _addressed(place, bridge, outcome.packet))
    filtered = _calls_iptables(place.state, bridge, outcome.packet.family)
    frame = place.here(Hook.PREROUTING, in_device=port, physical_in=port)
    packet_view = place.here(Hook.PREROUTING, in_device=bridge, physical_in=port)
    for branch in _hooked(
        replace(frame, bridged=True), replace(packet_view, bridged=True), outcome, filtered
    ):
        if branch.ending is not None:
            yield Departure(outcome=branch)
        elif branch.packet.destination != outcome.packet.destination:
            yield from _redirected(place, branch, bridge, port)
        else:
            yield from _switch(place, branch, bridge, port)


def _addressed(place: Place, bridge: Link, packet: Packet) -> Packet:
    """A question need not name link addresses: the frame is for whoever has the destination, else for us.

    What a sender whom we see has addressed to somebody whom we do not see stays as it is.
    """
    stations = list(hearers(place.node, place.state, bridge))
    for station in stations:
        if station.state is not None and answers(station.state, station.link, packet.destination):
            return replace(packet, destination_mac=station.link.mac)
    if packet.source_mac and any(station.state is None for station in stations):
        return packet
    return replace(packet, destination_mac=bridge.mac)


def _calls_iptables(state: NamespaceState, bridge: Link, family: int) -> bool:
    program = "iptables" if family == 4 else "ip6tables"
    if number(state, f"net/bridge/bridge-nf-call-{program}"):
        return True
    settings = bridge.bridge
    if settings is None or state.sysctl(f"net/bridge/bridge-nf-call-{program}") is None:
        return False
    return settings.nf_call_iptables if family == 4 else settings.nf_call_ip6tables


def _hooked(frame: Here, packet_view: Here, outcome: Outcome, filtered: bool) -> Outcomes:
    """The bridge family's chains, with the IP hooks of br_netfilter in between."""

    def early(here: Here, packet: Packet, history: History | None) -> Outcomes:
        return run_bridge_hook(here, packet, history, late=False)

    def late(here: Here, packet: Packet, history: History | None) -> Outcomes:
        return run_bridge_hook(here, packet, history, late=True)

    stages: list[tuple[Stage, Here]] = [(early, frame), (late, frame)]
    if filtered:
        stages.insert(1, (run_hook, packet_view))
    yield from _chained(stages, outcome)


def _chained(stages: list[tuple[Stage, Here]], outcome: Outcome) -> Outcomes:
    if not stages or outcome.ending is not None:
        yield outcome
        return
    stage, here = stages[0]
    for result in stage(here, outcome.packet, outcome.history):
        yield from _chained(stages[1:], below(outcome, result))


def _switch(place: Place, outcome: Outcome, bridge: Link, port: Link) -> Iterator[Departure]:
    """By its link address: up, or to a port."""
    if outcome.packet.destination_mac in _own_macs(place.state, bridge):
        yield from _up(place, outcome, bridge, port)
    else:
        yield from _across(place, outcome, bridge, port)


def _up(place: Place, outcome: Outcome, bridge: Link, port: Link) -> Iterator[Departure]:
    prerouted = _calls_iptables(place.state, bridge, outcome.packet.family)
    physical = port if prerouted else None  # only br_netfilter remembers it
    for text in beyond(place.node, place.state, bridge, incoming=True):
        outcome = assumed(outcome, text)
    yield from take_in(place, outcome, Ports(device=bridge, physical=physical, prerouted=prerouted))


def _own_macs(state: NamespaceState, bridge: Link) -> set[str]:
    return {bridge.mac} | {link.mac for link in tables_of(state).enslaved.get(bridge.index, ())}


def _redirected(place: Place, outcome: Outcome, bridge: Link, port: Link) -> Iterator[Departure]:
    """A DNAT in PREROUTING: routed anew; if the way is this same bridge, the frame stays bridged."""
    packet = outcome.packet
    here = place.here(Hook.PREROUTING, in_device=bridge)
    for decision in route_input(here, packet, bridge):
        way = decision.way
        if decision.ending is not None:
            # Without forwarding, IPv4's lookup answers with a route of its own that loses packets; IPv6 looks later.
            onward = fib_lookup(place.state, replace(query_for(packet, None), source=None))[0]
            stays = onward.device is not None and onward.device.index == bridge.index
            way = onward if stays and onward.type == "unicast" and packet.family == 6 else None
        if way is None or way.type != "unicast" or way.device is None or way.device.index != bridge.index:
            routed = with_packet(outcome, replace(packet, destination_mac=bridge.mac))
            yield from _up(place, routed, bridge, port)
            return
        found = resolve(place.node, place.state, bridge, way.gateway or packet.destination, packet.source)
        if not found.reached:
            reason = f"nobody on {bridge.name} answers for {way.gateway or packet.destination}"
            ending = Ending(verdict=Verdict.NO_NEIGHBOUR, reason=reason)
            yield Departure(outcome=ended(outcome, ending, because=found.because))
            return
        yield from _across(place, _readdressed(outcome, way, found, bridge), bridge, port)
        return


def _readdressed(outcome: Outcome, way: Way, found: Resolution, bridge: Link) -> Outcome:
    """The frame goes to the new destination, and keeps its sender: br_netfilter writes one link address only."""
    before = outcome.packet
    moved = replace(before, destination_mac=found.mac)
    if moved == before:
        return outcome
    text = f"{way.gateway or before.destination} is at {found.mac} behind {bridge.name}"
    step = Step(kind=StepKind.RESOLVED, text=text, because=found.because, before=before, after=moved)
    return with_packet(noted(outcome, step), moved)


def _across(place: Place, outcome: Outcome, bridge: Link, port: Link) -> Iterator[Departure]:
    """From port to port: FORWARD and POSTROUTING where br_netfilter calls them."""
    chosen = _out_port(place, bridge, outcome.packet.destination_mac)
    refusal = _forbidden(place, outcome, bridge, port, chosen)
    if refusal is not None or chosen is None:
        yield Departure(outcome=refusal or outcome)
        return
    fact = _fdb_fact(place, bridge, chosen, outcome.packet.destination_mac)
    text = f"{bridge.name} passes the frame from {port.name} to {chosen.name}"
    outcome = noted(outcome, Step(kind=StepKind.BRIDGED, text=text, because=fact))
    if not _hears_questions(chosen, outcome.packet.family):
        kind = "bcast_flood" if outcome.packet.family == 4 else "mcast_flood"
        text = f"{place.node.name} {chosen.name}: the bridge port's `{kind} off` is not modelled"
        outcome = assumed(outcome, text)
    filtered = _calls_iptables(place.state, bridge, outcome.packet.family)
    frame = replace(place.here(Hook.FORWARD, in_device=port, out_device=chosen), bridged=True)
    view = place.here(
        Hook.FORWARD, in_device=bridge, out_device=bridge, physical_in=port, physical_out=chosen
    )
    for forwarded in _hooked(frame, replace(view, bridged=True), outcome, filtered):
        frame = replace(frame, hook=Hook.POSTROUTING, in_device=None)
        after = replace(view, hook=Hook.POSTROUTING, in_device=None, bridged=True)
        for result in _hooked(frame, after, forwarded, filtered):
            yield _by_port(result, chosen)


def _hears_questions(port: Link, family: int) -> bool:
    """Whether other ports' questions for a link address are passed on to this one."""
    if port.port is None:
        return True
    return port.port.broadcast_flood if family == 4 else port.port.multicast_flood


def _by_port(outcome: Outcome, port: Link) -> Departure:
    if outcome.ending is not None:
        return Departure(outcome=outcome)
    outcome = fitted(outcome, None, port, Sender.BRIDGE)
    return Departure(outcome=outcome, device=port if outcome.ending is None else None, bridged=True)


def transmit(place: Place, departure: Departure) -> Iterator[Departure]:
    """A packet of this host leaves by a bridge device."""
    bridge, outcome = departure.device, departure.outcome
    if bridge is None:
        raise ValueError("a packet that leaves by no device")
    mac = outcome.packet.destination_mac
    chosen = _out_port(place, bridge, mac)
    if chosen is None:
        yield Departure(outcome=_nowhere(outcome, bridge, mac))
        return
    fact = _fdb_fact(place, bridge, chosen, mac)
    text = f"{bridge.name} sends the frame out by {chosen.name}"
    outcome = noted(outcome, Step(kind=StepKind.BRIDGED, text=text, because=fact))
    here = replace(place.here(Hook.OUTPUT, out_device=chosen), bridged=True)
    for result in _hooked(here, here, outcome, filtered=False):
        after = replace(here, hook=Hook.POSTROUTING)
        for last in _hooked(after, after, result, filtered=False):
            yield replace(_by_port(last, chosen), next_hop=departure.next_hop)


def _out_port(place: Place, bridge: Link, mac: str) -> Link | None:
    """The port behind which the address is: by the table, else by whoever takes the flooded frame."""
    state = place.state
    links = tables_of(state).links
    entries = state.fdb()
    for entry in () if isinstance(entries, Absent) else entries:
        link = links.get(entry.link)
        if mac and entry.mac == mac and link is not None and link.master == bridge.index:
            return link
    unseen: Link | None = None
    for port in ports_of(state, bridge):
        stations = list(hearers(place.node, state, port))
        if mac and stations_with_mac(stations, mac):
            return port
        if unseen is None and any(station.state is None for station in stations):
            unseen = port
    return unseen


def _fdb_fact(place: Place, bridge: Link, port: Link, mac: str) -> tuple[Fact, ...]:
    entries = place.state.fdb()
    known = any(
        e.link == port.index and e.mac == mac for e in (() if isinstance(entries, Absent) else entries)
    )
    if not known:
        return ()
    key = f"{place.node.name} fdb {mac} dev {port.name}"
    return (Fact(section="fdb", key=key, text=f"{mac} dev {port.name} master {bridge.name}"),)


def _forbidden(
    place: Place, outcome: Outcome, bridge: Link, port: Link, chosen: Link | None
) -> Outcome | None:
    """Why the bridge does not pass the frame to this port."""
    if chosen is None:
        return _nowhere(outcome, bridge, outcome.packet.destination_mac)
    key = f"{place.node.name} bridge link {chosen.name}"
    if chosen.index == port.index and not (chosen.port is not None and chosen.port.hairpin):
        reason = f"the frame would go back out of {port.name}, and hairpin mode is off there"
        text = f"{port.name} master {bridge.name} hairpin off"
        remedy = f"bridge link set dev {port.name} hairpin on"
    elif _isolated(port) and _isolated(chosen):
        reason = f"{port.name} and {chosen.name} are isolated ports"
        text = f"{port.name} and {chosen.name} master {bridge.name} isolated on"
        remedy = ""
    else:
        return None
    ending = Ending(verdict=Verdict.DROPPED, reason=reason, remedy=remedy)
    fact = Fact(section="link", key=key, text=text)
    return ended(outcome, ending, kind=StepKind.DROPPED, because=(fact,))


def _isolated(port: Link) -> bool:
    return port.port is not None and port.port.isolated


def _nowhere(outcome: Outcome, bridge: Link, mac: str) -> Outcome:
    reason = f"no port of {bridge.name} leads to {mac or 'the next hop'}"
    return ended(outcome, Ending(verdict=Verdict.DROPPED, reason=reason), kind=StepKind.DROPPED)
