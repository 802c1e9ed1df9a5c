"""A packet in one network namespace, from where it comes in or begins to where it leaves or ends.

Kernel: net/core/dev.c __netif_receive_skb_core, net/ipv4/ip_output.c
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Ending, History, Outcome, Step, StepKind, Verdict
from kubectl_packetpath.walk import tunnels
from kubectl_packetpath.walk.arp import answers
from kubectl_packetpath.walk.attached import ANSWERING, ASKING, at_sockets, beneath, beyond
from kubectl_packetpath.walk.bridge import receive_frame, transmit
from kubectl_packetpath.walk.fitting import Sender, fitted, limit_of
from kubectl_packetpath.walk.forwarding import send_out, take_in
from kubectl_packetpath.walk.here import Here, Hook, ended, go_on, scaled, unknown
from kubectl_packetpath.walk.hooks import run_hook
from kubectl_packetpath.walk.ipvs_forwarding import send_on
from kubectl_packetpath.walk.order import SENT_ON
from kubectl_packetpath.walk.output_route import OutputDecision, route_again, route_output, route_wrapped
from kubectl_packetpath.walk.place import Departure, Place, Ports, assumed, below, noted, with_packet
from kubectl_packetpath.walk.segment import AGGREGATES, bridge_of, taker_of
from kubectl_packetpath.walk.settings import default_ttl, number
from kubectl_packetpath.walk.shaping import shaped
from kubectl_packetpath.walk.sharing import given_up
from kubectl_packetpath.walk.tables import tables_of
from kubectl_packetpath.walk.wires import not_modelled

USUAL_TTL = 64
"""Of a packet about whose time to live nothing was said: the host's settings decide."""
MOST_TURNS = 8
"""Times that a packet may come back by loopback, or go into or out of a tunnel, within one namespace."""


def receive(
    place: Place, packet: Packet, device: Link, history: History | None = None
) -> Iterator[Departure]:
    """A packet comes in by this device."""
    yield from _settled(place, _come_in(place, go_on(packet, history), device), 0)


def _come_in(place: Place, outcome: Outcome, device: Link) -> Iterator[Departure]:
    step = Step(kind=StepKind.RECEIVED, text=f"{device.name} takes {outcome.packet}")
    outcome = noted(outcome, step)
    if not device.is_up:
        ending = Ending(verdict=Verdict.DROPPED, reason=f"{device.name} is down")
        yield Departure(outcome=ended(outcome, ending, kind=StepKind.DROPPED))
        return
    for text in beyond(place.node, place.state, device, incoming=True):
        outcome = assumed(outcome, text)
    yield from _received(place, outcome, device)


def _received(place: Place, outcome: Outcome, device: Link) -> Iterator[Departure]:
    bridge = bridge_of(place.state, device)
    if bridge is not None:
        yield from receive_frame(place, outcome, bridge, device)
        return
    other = taker_of(place.state, device)
    if other is not None:
        yield Departure(outcome=unknown(outcome, not_modelled(place, other)))
        return
    shared = given_up(place, outcome, device)
    if shared is not None:
        yield shared
        return
    mac = outcome.packet.destination_mac
    if mac and device.mac and mac != device.mac:
        yield Departure(outcome=_for_another(outcome, device, mac))
        return
    asked = outcome.packet.asked
    if asked is not None and not mac and not answers(place.state, device, asked):
        reason = f"nobody answers who has {asked}: {device.name} of {place.node.name} has not"
        yield Departure(outcome=ended(outcome, Ending(verdict=Verdict.NO_NEIGHBOUR, reason=reason)))
        return
    master = tables_of(place.state).links.get(device.master or 0)
    if master is not None and master.kind in AGGREGATES:
        if not master.kind:
            text = (
                f"{place.node.name} {master.name} takes what {device.name} gets: its driver is not modelled"
            )
            outcome = assumed(outcome, text)
        for text in beyond(place.node, place.state, master, incoming=True):
            outcome = assumed(outcome, text)
        device = master
    elif master is not None and master.vrf_table is not None:
        outcome = assumed(outcome, f"{place.node.name} {master.name}: hooks of a VRF are not modelled")
    yield from take_in(place, outcome, Ports(device=device))


def _for_another(outcome: Outcome, device: Link, mac: str) -> Outcome:
    reason = f"the frame is for {mac}, and {device.name} is {device.mac}"
    return ended(outcome, Ending(verdict=Verdict.DROPPED, reason=reason), kind=StepKind.DROPPED)


def originate(place: Place, packet: Packet, *, answering: bool = False) -> Iterator[Departure]:
    """A socket of this namespace sends a packet; an unspecified source is chosen by the kernel."""
    here = place.here(Hook.OUTPUT)
    for decision in route_output(here, packet):
        sent = decision.packet
        if sent.ttl == USUAL_TTL:
            sent = replace(sent, ttl=default_ttl(place.state, sent.family, decision.device))
        changed = sent != replace(packet, ttl=sent.ttl)
        text = f"a socket sends {sent}"
        step = Step(
            kind=StepKind.ORIGINATED,
            text=text,
            before=packet if changed else None,
            after=sent if changed else None,
        )
        outcome = replace(noted(go_on(sent, None), step), weight=decision.weight)
        for doubt in at_sockets(place, sent, ANSWERING if answering else ASKING):
            outcome = assumed(outcome, doubt)
        yield from _settled(place, _output(place, outcome, decision), 0)


def _output(place: Place, outcome: Outcome, decision: OutputDecision) -> Iterator[Departure]:
    if decision.ending is not None:
        yield Departure(outcome=ended(outcome, decision.ending, because=decision.because))
        return
    outcome = _routed(place, outcome, decision)
    here = place.here(Hook.OUTPUT, out_device=decision.device)
    for result in run_hook(here, outcome.packet, outcome.history):
        branch = below(outcome, result)
        if branch.ending is not None:
            yield Departure(outcome=branch)
        elif result.verdict == SENT_ON:
            yield Departure(outcome=branch, sent_on=True)
        elif result.verdict == "reroute":
            yield from _reroute(place, branch, here)
        else:
            yield from _leave(place, branch, decision)


def _routed(place: Place, outcome: Outcome, decision: OutputDecision) -> Outcome:
    way, device = decision.way, decision.device
    for text in way.assumed if way is not None else ():
        outcome = assumed(outcome, f"{place.node.name}: {text}")
    via = f" via {way.gateway}" if way is not None and way.gateway is not None else ""
    text = f"out by {device.name if device else 'no device'}{via}"
    return noted(outcome, Step(kind=StepKind.ROUTED, text=text, because=decision.because))


def _reroute(place: Place, outcome: Outcome, here: Here) -> Iterator[Departure]:
    """OUTPUT changed what routing goes by: the way is looked up again, the source stays."""
    for decision in route_again(here, outcome.routed_as or outcome.packet):
        branch = replace(outcome, weight=scaled(outcome.weight, decision.weight))
        if decision.ending is not None:
            yield Departure(outcome=ended(branch, decision.ending, because=decision.because))
        else:
            yield from _leave(place, _routed(place, branch, decision), decision)


def _leave(place: Place, outcome: Outcome, decision: OutputDecision) -> Iterator[Departure]:
    way, device = decision.way, decision.device
    if way is None or device is None or way.type not in {"unicast", "local", "anycast"}:
        kind = way.type if way is not None else "no"
        place_text = f"{place.node.name}: sending to a {kind} address is not modelled"
        yield Departure(outcome=unknown(outcome, place_text))
        return
    wrapped_too_long = outcome.packet.inner is not None and outcome.packet.size_bytes > limit_of(way, device)
    learns = wrapped_too_long and number(place.state, "net/ipv4/ip_forward_use_pmtu") == 1
    outcome = fitted(outcome, way, device, Sender.HOST, learns=learns)
    if outcome.ending is not None:
        yield Departure(outcome=outcome)
        return
    yield from send_out(place, outcome, way, device, _wrapper(place, outcome.packet))


def _wrapper(place: Place, packet: Packet) -> Ports | None:
    """The tunnel that made this packet, by which it came to IP; None: a socket did."""
    links = place.state.links()
    if packet.inner is None or isinstance(links, Absent):
        return None
    found = [link for link in links if link.kind == packet.encapsulation]
    return Ports(device=found[0]) if len(found) == 1 else None


def _sent_on(place: Place, departures: Iterator[Departure]) -> Iterator[Departure]:
    """What IPVS takes out of a hook goes on to its server, and what IPsec has encrypted takes its own way out."""
    for departure in departures:
        if departure.sent_on:
            yield from _sent_on(place, send_on(place, departure.outcome, departure.came_by))
        elif departure.secured:
            yield from _sent_on(place, _secured(place, departure.outcome))
        else:
            yield departure


def _settled(place: Place, departures: Iterator[Departure], loopbacks: int) -> Iterator[Departure]:
    """Follow what does not really leave: loopback, a tunnel, and a bridge that still has to choose a port."""
    for departure in _sent_on(place, departures):
        device, outcome = departure.device, departure.outcome
        if device is None or outcome.ending is not None or departure.into is not None:
            yield departure
        elif loopbacks >= MOST_TURNS:
            ending = Ending(verdict=Verdict.LOOPED, reason=f"the packet goes round by {device.name}")
            yield Departure(outcome=ended(outcome, ending))
        elif departure.comes_in:
            yield from _settled(place, _come_in(place, outcome, device), loopbacks + 1)
        elif device.is_loopback:
            yield from _loop(place, outcome, device, loopbacks)
        elif device.kind == "bridge" and not departure.bridged:
            for each in _leaving(place, departure, device):
                on = transmit(place, each) if each.device is not None else iter((each,))
                yield from _settled(place, on, loopbacks)
        else:
            yield from _sent(place, departure, device, loopbacks)


def _sent(place: Place, departure: Departure, device: Link, loopbacks: int) -> Iterator[Departure]:
    """Out by the device, unless that makes another packet of it."""
    for each in _leaving(place, departure, device):
        if each.device is not None and tunnels.wraps(device):
            yield from _settled(place, _wrapped(place, each, device), loopbacks + 1)
        else:
            yield each


def _leaving(place: Place, departure: Departure, device: Link) -> Iterator[Departure]:
    """What the device itself does with a packet that it is to send, before any other hears it."""
    outcome = departure.outcome
    for text in (
        *beyond(place.node, place.state, device, incoming=False),
        *beneath(place.node, place.state, device),
    ):
        outcome = assumed(outcome, text)
    for branch in shaped(place, outcome, device):
        yield Departure(outcome=branch) if branch.ending else replace(departure, outcome=branch)


def _secured(place: Place, outcome: Outcome) -> Iterator[Departure]:
    """The packet that IPsec made takes its way out like any other of this host."""
    for decision in route_wrapped(place.here(Hook.OUTPUT), outcome.packet, None):
        branch = replace(outcome, weight=scaled(outcome.weight, decision.weight))
        yield from _output(place, branch, decision)


def _wrapped(place: Place, departure: Departure, tunnel: Link) -> Iterator[Departure]:
    """A tunnel device makes a packet of this host's own out of it, which takes its way out like any other."""
    if not tunnel.is_up:
        ending = Ending(verdict=Verdict.DROPPED, reason=f"{tunnel.name} is down")
        yield Departure(outcome=ended(departure.outcome, ending, kind=StepKind.DROPPED))
        return
    here = place.here(Hook.OUTPUT)
    for wrapping in tunnels.wrap(place, departure, tunnel):
        if wrapping.outer is None:
            yield Departure(outcome=wrapping.outcome)
            continue
        for decision in route_wrapped(here, wrapping.outer, wrapping.bound_to, wrapping.mark):
            way, device = decision.way, decision.device
            if way is not None and way.type == "local" and tunnels.turns_back(tunnel):
                yield tunnels.turn_back(place, wrapping, decision.packet)
                continue
            branch = tunnels.noted_wrapping(wrapping, decision.packet)
            branch = replace(branch, weight=scaled(branch.weight, decision.weight))
            if device is not None and device.index == tunnel.index:
                reason = f"the way to {decision.packet.destination} goes by the tunnel {tunnel.name} itself"
                ending = Ending(verdict=Verdict.LOOPED, reason=reason)
                yield Departure(outcome=ended(branch, ending, because=decision.because))
                continue
            limit = limit_of(way, device) if device is not None else 0
            refused = tunnels.refused(place, wrapping, decision.packet, limit)
            if refused is not None:
                yield Departure(outcome=refused)
            else:
                yield from _output(place, branch, decision)


def _loop(place: Place, outcome: Outcome, device: Link, loopbacks: int) -> Iterator[Departure]:
    """Back to this namespace, unless nobody has set its loopback device up."""
    if not device.is_up:
        reason, remedy = (
            f"{device.name} is down: nothing reaches this namespace from itself",
            f"ip link set {device.name} up",
        )
        ending = Ending(verdict=Verdict.DROPPED, reason=reason, remedy=remedy)
        yield Departure(outcome=ended(outcome, ending, kind=StepKind.DROPPED))
        return
    for branch in shaped(place, outcome, device):
        if branch.ending is not None:
            yield Departure(outcome=branch)
        else:
            yield from _looped(place, branch, device, loopbacks)


def _looped(place: Place, outcome: Outcome, device: Link, loopbacks: int) -> Iterator[Departure]:
    connection = outcome.packet.connection
    if connection is not None:
        connection = replace(connection, entered=True)
    back = replace(outcome.packet, source_mac="", destination_mac="", connection=connection)
    outcome = with_packet(outcome, back)
    step = Step(kind=StepKind.RECEIVED, text=f"{device.name} brings it back to this namespace")
    ports = Ports(device=device, looped=True)
    yield from _settled(place, take_in(place, noted(outcome, step), ports), loopbacks + 1)
