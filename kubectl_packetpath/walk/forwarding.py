"""A packet at the IP layer: taken in, passed on, or sent out by this namespace.

PREROUTING, routing, then INPUT and a socket, or FORWARD and POSTROUTING and the next hop's link address.

Kernel: net/ipv4/ip_input.c, ip_forward.c, ip_output.c; net/ipv6/ip6_input.c, ip6_output.c
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.packet import UDP, Address, Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Ending, Outcome, Step, StepKind, Verdict
from kubectl_packetpath.walk import tunnels, xfrm
from kubectl_packetpath.walk.attached import TAKING, at_sockets
from kubectl_packetpath.walk.delivery import deliver
from kubectl_packetpath.walk.fitting import Sender, fitted
from kubectl_packetpath.walk.here import Here, Hook, ended, scaled, unknown
from kubectl_packetpath.walk.hooks import run_hook
from kubectl_packetpath.walk.input_route import Decision, refused6, route_input
from kubectl_packetpath.walk.neighbours import Resolution, resolve
from kubectl_packetpath.walk.order import SENT_ON
from kubectl_packetpath.walk.place import Departure, Place, Ports, assumed, below, noted, with_packet
from kubectl_packetpath.walk.release import POSTROUTING_KNOWS_INPUT, has
from kubectl_packetpath.walk.routing import Way

IPV6_HEADER, CHECKSUM_BREAK = 40, 76
CHECKSUM_TAKEN = (
    "a rule has changed the IPv6 header of a long datagram. Where no device had verified its checksum, connection "
    "tracking did, and the socket drops it now"
)
"""net/netfilter/utils.c nf_ip6_checksum counts the header in; net/ipv6/ip6_checksum.c udp6_csum_init believes it."""


def take_in(place: Place, outcome: Outcome, ports: Ports) -> Iterator[Departure]:
    """An IP packet that this namespace was handed."""
    if not ports.looped:
        ports = replace(ports, header=(outcome.packet.ttl, outcome.packet.tos))
    refused = None if ports.looped else refused6(place.here(Hook.PREROUTING), outcome.packet, ports.device)
    if refused is not None:
        yield Departure(outcome=_refused(outcome, refused))
        return
    if ports.prerouted:
        yield from _route(place, outcome, ports)
        return
    here = place.here(Hook.PREROUTING, in_device=ports.device, physical_in=ports.physical)
    for result in run_hook(here, outcome.packet, outcome.history):
        branch = below(outcome, result)
        if branch.ending is not None:
            yield Departure(outcome=branch)
        elif ports.looped:
            yield from _local(place, branch, ports)
        else:
            yield from _route(place, branch, ports)


def _route(place: Place, outcome: Outcome, ports: Ports) -> Iterator[Departure]:
    here = place.here(Hook.PREROUTING, in_device=ports.device)
    for decision in route_input(here, outcome.packet, ports.device):
        branch = replace(outcome, weight=scaled(outcome.weight, decision.weight))
        way = decision.way
        for text in way.assumed if way is not None else ():
            branch = assumed(branch, f"{here.node}: {text}")
        if decision.ending is not None:
            yield Departure(outcome=_refused(branch, decision))
        elif way is not None and way.type in {"local", "anycast"}:
            text = f"{outcome.packet.destination} is an address of this namespace"
            yield from _local(place, noted(branch, _routed(text, decision)), ports)
        elif way is not None and way.device is not None:
            text = f"onward by {way.device.name}{f' via {way.gateway}' if way.gateway else ''}"
            yield from _forward(place, noted(branch, _routed(text, decision)), ports, way)


def _routed(text: str, decision: Decision) -> Step:
    return Step(kind=StepKind.ROUTED, text=text, because=decision.because)


def _refused(outcome: Outcome, decision: Decision) -> Outcome:
    ending = decision.ending
    if ending is None:
        raise ValueError("a refusal without its reason")
    kind = StepKind.DROPPED if ending.verdict is Verdict.DROPPED else StepKind.LOST
    return ended(outcome, ending, kind=kind, because=decision.because)


def _local(place: Place, outcome: Outcome, ports: Ports) -> Iterator[Departure]:
    here = place.here(Hook.INPUT, in_device=ports.device, physical_in=ports.physical)
    for result in run_hook(here, outcome.packet, outcome.history):
        branch = below(outcome, result)
        if branch.verdict == SENT_ON:
            yield Departure(outcome=branch, sent_on=True, came_by=ports)
        elif branch.ending is not None:
            yield Departure(outcome=branch)
        else:
            yield from _handed(place, here, branch, ports)


def _handed(place: Place, here: Here, outcome: Outcome, ports: Ports) -> Iterator[Departure]:
    """To whatever takes it here: IPsec, a tunnel, or a socket."""
    if outcome.packet.encapsulation == "esp":
        yield xfrm.opened(place, outcome, ports.device)
        return
    refused = xfrm.unbelieved(place, outcome, "in")
    if refused is not None:
        yield Departure(outcome=refused)
        return
    if outcome.packet.inner is not None:
        yield tunnels.unwrap(place, outcome)
        return
    packet = outcome.packet
    if ports.header not in {None, (packet.ttl, packet.tos)} and _is_checked_late(packet):
        outcome = assumed(outcome, f"{here.node}: {CHECKSUM_TAKEN}")
        ending = Ending(verdict=Verdict.DROPPED, reason="its checksum no longer fits (Udp6InCsumErrors)")
        yield Departure(outcome=ended(outcome, ending, kind=StepKind.DROPPED))
    for doubt in at_sockets(place, packet, TAKING):
        outcome = assumed(outcome, doubt)
    yield Departure(outcome=deliver(here, outcome, place.own))


def _is_checked_late(packet: Packet) -> bool:
    """A UDP datagram over IPv6 whose checksum is not computed anew when it comes to its socket."""
    length = packet.size_bytes - IPV6_HEADER
    return packet.family == 6 and packet.protocol == UDP and length > CHECKSUM_BREAK


def _forward(place: Place, outcome: Outcome, ports: Ports, way: Way) -> Iterator[Departure]:
    device = way.device
    if device is None:
        raise ValueError("a way onward without a device")
    lost = xfrm.unbelieved(place, outcome, "fwd") or _not_forwardable(outcome)
    outcome = lost or fitted(outcome, way, device, Sender.ROUTER)
    if outcome.ending is not None:
        yield Departure(outcome=outcome)
        return
    outcome = with_packet(outcome, replace(outcome.packet, ttl=outcome.packet.ttl - 1))
    here = place.here(Hook.FORWARD, in_device=ports.device, out_device=device, physical_in=ports.physical)
    for result in run_hook(here, outcome.packet, outcome.history):
        branch = below(outcome, result)
        if branch.ending is not None:
            yield Departure(outcome=branch)
        else:
            yield from send_out(place, branch, way, device, ports)


def _not_forwardable(outcome: Outcome) -> Outcome | None:
    if outcome.packet.ttl > 1:
        return None
    ending = Ending(verdict=Verdict.EXPIRED, reason="the packet's time to live ended here")
    return ended(outcome, ending)


def too_big(outcome: Outcome, way: Way | None, device: Link) -> Outcome | None:
    """The end of a packet that does not fit and must not be cut."""
    result = fitted(outcome, way, device, Sender.ROUTER)
    return result if result.ending is not None else None


def send_out(
    place: Place, outcome: Outcome, way: Way, device: Link, came_by: Ports | None = None
) -> Iterator[Departure]:
    """POSTROUTING and the link address: the last of what IP does; `came_by` is None for a socket's own packet."""
    if way.encapsulation:
        text = f"{place.node.name} route {way.route.destination if way.route else ''}: encapsulation "
        yield Departure(outcome=unknown(outcome, f"{text}{way.encapsulation} is not modelled"))
        return
    here = place.here(Hook.POSTROUTING, out_device=device)
    if came_by is not None:
        seen = has(place.node.kernel, POSTROUTING_KNOWS_INPUT)
        here = replace(here, in_device=came_by.device if seen else None, physical_in=came_by.physical)
    for result in run_hook(here, outcome.packet, outcome.history):
        branch = below(outcome, result)
        if branch.ending is not None:
            yield Departure(outcome=branch)
            continue
        protected = xfrm.protected(place, branch)
        if protected is not None:
            yield protected
        elif device.is_loopback:
            yield Departure(outcome=branch, device=device)
        else:
            yield addressed(place, branch, way, device)


def _unanswered(next_hop: Address, device: Link, found: Resolution) -> Ending:
    """Nobody has the next hop's address, or who has it is deaf to us."""
    reason = f"nobody behind {device.name} answers for {next_hop}"
    remedy = f"ip neigh show {next_hop} dev {device.name}"
    if found.deaf is not None:
        reason, remedy = f"{reason}: {found.deaf.reason}", found.deaf.remedy or remedy
    return Ending(verdict=Verdict.NO_NEIGHBOUR, reason=reason, remedy=remedy)


def addressed(place: Place, outcome: Outcome, way: Way, device: Link) -> Departure:
    """Put the link addresses on the packet, or say that nobody answers."""
    packet = outcome.packet
    next_hop = way.gateway or packet.destination
    found = resolve(place.node, place.state, device, next_hop, packet.source)
    if not found.reached:
        ending = _unanswered(next_hop, device, found)
        return Departure(outcome=ended(outcome, ending, because=found.because))
    asked = None if found.seen else next_hop
    before = packet
    own = device.mac if found.mac or asked is not None else ""
    packet = replace(packet, source_mac=own, destination_mac=found.mac, asked=asked)
    if found.mac or asked is not None:
        unseen = f"{next_hop} is asked for on {device.name}: who answers is out of sight"
        text = f"{next_hop} is at {found.mac} on {device.name}" if found.mac else unseen
        step = Step(kind=StepKind.RESOLVED, text=text, because=found.because, before=before, after=packet)
        outcome = noted(outcome, step)
    return Departure(outcome=with_packet(outcome, packet), device=device, next_hop=way.gateway)
