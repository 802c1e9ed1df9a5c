"""IPVS sends a packet on to the server that it chose: routed anew, then through OUTPUT and POSTROUTING.

It needs no ip_forward, and the client's address plays no part in the routing.

Kernel: net/netfilter/ipvs/ip_vs_xmit.c (__ip_vs_get_out_rt, ip_vs_nat_xmit, ip_vs_dr_xmit)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Ending, Outcome, Step, StepKind, Verdict
from kubectl_packetpath.walk.forwarding import send_out, too_big
from kubectl_packetpath.walk.here import Hook, ended, scaled, unknown
from kubectl_packetpath.walk.hooks import run_hook
from kubectl_packetpath.walk.input_route import NO_ROUTE_TYPES
from kubectl_packetpath.walk.output_route import route_again
from kubectl_packetpath.walk.place import Departure, Place, Ports, assumed, below, noted, with_packet
from kubectl_packetpath.walk.routing import RouteQuery, Way, fib_lookup


def send_on(place: Place, outcome: Outcome, came_by: Ports | None) -> Iterator[Departure]:
    """Every way to the server that the packet was given to; `came_by` is None for one of this namespace's own."""
    connection = outcome.packet.balanced
    if connection is None:
        raise ValueError("a packet that IPVS sends on without having balanced it")
    for way in fib_lookup(place.state, RouteQuery(destination=connection.server)):
        branch = replace(outcome, weight=scaled(outcome.weight, way.weight), verdict="")
        for text in way.assumed:
            branch = assumed(branch, f"{place.node.name}: {text}")
        because = way.facts(place.node.name)
        if way.type in NO_ROUTE_TYPES:
            ending = Ending(
                verdict=Verdict.NO_ROUTE,
                reason=f"IPVS finds no route to the server {connection.server}",
                remedy=f"ip route get {connection.server}",
            )
            yield Departure(outcome=ended(branch, ending, because=because))
        elif way.device is None or way.type != "unicast":
            text = f"{place.node.name} ipvs: a server at a {way.type} address is not modelled"
            yield Departure(outcome=unknown(branch, text, because))
        else:
            straight = connection.server if connection.forwarding == "route" else None
            gateway = way.gateway or straight
            via = f" via {gateway}" if gateway is not None else ""
            step = Step(kind=StepKind.ROUTED, text=f"on by {way.device.name}{via}", because=because)
            onward = _Onward(way=replace(way, gateway=gateway), device=way.device, came_by=came_by)
            yield from _by(place, noted(branch, step), onward)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Onward:
    """Where it goes, and where it came from."""

    way: Way
    device: Link
    came_by: Ports | None


def _by(place: Place, outcome: Outcome, onward: _Onward) -> Iterator[Departure]:
    way, device = onward.way, onward.device
    packet = outcome.packet
    if packet.ttl <= 1:
        ending = Ending(verdict=Verdict.EXPIRED, reason="the packet's time to live ended here")
        yield Departure(outcome=ended(outcome, ending))
        return
    lost = too_big(outcome, way, device)
    if lost is not None:
        yield Departure(outcome=lost)
        return
    outcome = with_packet(outcome, replace(packet, ttl=packet.ttl - 1))
    here = place.here(Hook.OUTPUT, out_device=device)
    for result in run_hook(here, outcome.packet, outcome.history):
        branch = below(outcome, result)
        if branch.ending is not None:
            yield Departure(outcome=branch)
        elif result.verdict == "reroute":
            yield from _otherwise(place, branch, onward.came_by)
        else:
            yield from send_out(place, branch, way, device, onward.came_by)


def _otherwise(place: Place, outcome: Outcome, came_by: Ports | None) -> Iterator[Departure]:
    """OUTPUT changed the mark: the way is looked up once more."""
    here = place.here(Hook.OUTPUT)
    for decision in route_again(here, outcome.packet):
        branch = replace(outcome, weight=scaled(outcome.weight, decision.weight))
        if decision.ending is not None or decision.way is None or decision.device is None:
            text = f"{place.node.name}: no way on after OUTPUT"
            ending = decision.ending or Ending(verdict=Verdict.NO_ROUTE, reason=text)
            yield Departure(outcome=ended(branch, ending, because=decision.because))
        else:
            yield from send_out(place, branch, decision.way, decision.device, came_by)
