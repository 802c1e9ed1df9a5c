"""Who hears a frame that leaves by a device: the other end of a veth, everyone on a bridge, or somebody unseen.

Kernel: drivers/net/veth.c, net/bridge/br_forward.c
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_packetpath.snapshot.links import BRIDGE_PORT_FORWARDING, Link
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState
from kubectl_packetpath.walk.tables import tables_of
from kubectl_packetpath.walk.tunnels.fdb import floods

MOST_SEGMENTS = 8
SHARING = {"macvlan", "macvtap", "ipvlan"}
"""Kinds of devices that share the wire of another one."""
AGGREGATES = {"", "bond", "team"}
"""Kinds that take for themselves what comes in by the devices below them; hardware: hv_netvsc, net_failover."""
UNDERSTOOD = {*AGGREGATES, "bridge", "vrf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A device that a frame may reach; without a state, what is behind cannot be seen from this node."""

    state: NamespaceState | None
    link: Link
    """For an unseen one: our own device that leads there."""


def peer_of(node: NodeState, state: NamespaceState, link: Link) -> Station | None:
    """The other end of a veth; None if its namespace is not seen."""
    return _below(node, state, link) if link.kind == "veth" else None


def _below(node: NodeState, state: NamespaceState, link: Link) -> Station | None:
    """The device that another one names as its peer, or as the one that it sits on."""
    if link.link is None:
        return None
    other: NamespaceState | None = state
    if link.link_netnsid is not None:
        identity = next((p.identity for p in state.peers if p.nsid == link.link_netnsid), None)
        other = node.namespace(identity) if identity is not None else None
    if other is None:
        return None
    end = tables_of(other).links.get(link.link)
    return None if end is None else Station(state=other, link=end)


def wire_of(node: NodeState, state: NamespaceState, link: Link) -> Station | None:
    """The device whose wire a macvlan or ipvlan device shares; None if it is out of sight."""
    return _below(node, state, link) if link.kind in SHARING else None


def lower_of(node: NodeState, state: NamespaceState, link: Link) -> Station | None:
    """The device by which a VLAN, macvlan or ipvlan device sends; None for others, or if it is out of sight."""
    return _below(node, state, link) if link.kind in {*SHARING, "vlan"} else None


def meet(one: Link, other: Link) -> bool:
    """Whether two devices that share a wire hear each other without it: macvlan of mode bridge, ipvlan of mode l2."""
    return one.mode == other.mode and one.mode in {"bridge", "l2"}


def sharers(node: NodeState, state: NamespaceState, lower: Link) -> Iterator[Station]:
    """The devices that share this device's wire, in whichever namespace they are.

    This reads all namespaces of the node, so it is asked only where nobody else can be meant.
    """
    for other in node.namespaces():
        for link in tables_of(other).links.values():
            below = wire_of(node, other, link)
            if below is None or below.state is None or below.link.index != lower.index:
                continue
            if below.state.identity == state.identity and link.mode != "source":
                yield Station(state=other, link=link)


def bridge_of(state: NamespaceState, link: Link) -> Link | None:
    """The bridge whose port this device is."""
    master = tables_of(state).links.get(link.master or 0)
    return master if master is not None and master.kind == "bridge" else None


def taker_of(state: NamespaceState, link: Link) -> Link | None:
    """The device that takes this one's frames and does with them what no walk knows: that of Open vSwitch, say."""
    master = tables_of(state).links.get(link.master or 0)
    return master if master is not None and master.kind not in UNDERSTOOD else None


def ports_of(state: NamespaceState, bridge: Link) -> Iterator[Link]:
    """The ports of a bridge that pass frames."""
    for link in tables_of(state).enslaved.get(bridge.index, ()):
        passes = link.port is None or link.port.state == BRIDGE_PORT_FORWARDING
        if link.is_up and passes:
            yield link


def hearers(node: NodeState, state: NamespaceState, link: Link, depth: int = 0) -> Iterator[Station]:
    """Everyone who may answer what is asked by this device."""
    if depth > MOST_SEGMENTS or not link.is_up:
        return
    if link.kind == "bridge":
        for port in ports_of(state, link):
            yield from hearers(node, state, port, depth + 1)
        return
    if link.kind in SHARING:
        yield from _beside(node, state, link, depth)
        return
    if link.kind == "dummy" or (link.kind == "vxlan" and not floods(state, link)):
        return
    end = peer_of(node, state, link)
    if end is None or end.state is None:
        yield Station(state=None, link=link)
        return
    yield from _at(node, end.state, end.link, depth + 1)


def _beside(node: NodeState, state: NamespaceState, link: Link, depth: int) -> Iterator[Station]:
    """Who hears such a device: others that it meets, and the wire; never the host whose wire it is."""
    lower = wire_of(node, state, link)
    if lower is None or lower.state is None:
        yield Station(state=None, link=link)
        return
    for other in sharers(node, lower.state, lower.link):
        itself = (
            other.link.index == link.index
            and other.state is not None
            and other.state.identity == state.identity
        )
        if not itself and meet(link, other.link) and other.link.is_up:
            yield other
    yield from hearers(node, lower.state, lower.link, depth + 1)


def _at(node: NodeState, state: NamespaceState, link: Link, depth: int) -> Iterator[Station]:
    if not link.is_up:
        return
    if taker_of(state, link) is not None:
        yield Station(state=None, link=link)
        return
    bridge = bridge_of(state, link)
    if bridge is None:
        yield Station(state=state, link=link)
        return
    yield Station(state=state, link=bridge)
    for port in ports_of(state, bridge):
        if port.index != link.index:
            yield from hearers(node, state, port, depth + 1)
