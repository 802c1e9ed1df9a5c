"""What is attached to a device, to those below it, or to a socket's control group, and may decide beyond this walk.

Kernel: net/core/dev.c sch_handle_egress, nf_hook_egress; drivers/net/macvlan.c, net/8021q/vlan_dev.c, drivers/net/bonding;
kernel/bpf/cgroup.c
"""

from collections.abc import Collection, Iterator

from kubectl_packetpath.packet import ICMP, ICMPV6, UDP, Packet
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.nftables import NFPROTO_INET, NFPROTO_NETDEV
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState
from kubectl_packetpath.walk.place import Place
from kubectl_packetpath.walk.segment import AGGREGATES, MOST_SEGMENTS, Station, lower_of
from kubectl_packetpath.walk.tables import tables_of

ASKING = frozenset(
    {
        "cgroup_inet_sock_create",
        "cgroup_inet4_connect",
        "cgroup_inet6_connect",
        "cgroup_udp4_sendmsg",
        "cgroup_udp6_sendmsg",
        "cgroup_inet_egress",
    }
)
ANSWERING = frozenset({"cgroup_udp4_sendmsg", "cgroup_udp6_sendmsg", "cgroup_inet_egress"})
TAKING = frozenset({"cgroup_inet_ingress"})
"""Programs, by bpftool's names, that are asked about what a client sends, a server answers, and a socket takes."""
INGRESS_HOOK = {NFPROTO_NETDEV: 0, NFPROTO_INET: 5}


def beyond(node: NodeState, state: NamespaceState, device: Link, *, incoming: bool) -> Iterator[str]:
    """What may decide about a packet at the device itself, in words."""
    name = f"{node.name} {device.name}"
    if incoming and device.xdp_program is not None:
        yield f"{name}: XDP program {device.xdp_program} is not modelled"
    if device.has_tc_programs:
        yield f"{name}: a tc program is not modelled"
    if incoming and device.port is not None and device.port.locked:
        yield f"{name}: the bridge port's `locked on` is not modelled"
    chains = state.nft_base_chains()
    for chain in () if isinstance(chains, Absent) else chains:
        hook = chain.hook
        if hook is None or device.name not in hook.devices:
            continue
        ingress = hook.number == INGRESS_HOOK.get(chain.family)
        if ingress == incoming and (ingress or chain.family == NFPROTO_NETDEV):
            yield f"{name}: nft chain {chain.table}/{chain.name} at the device is not modelled"


def at_sockets(place: Place, packet: Packet, deciding: Collection[str]) -> Iterator[str]:
    """What may decide about a packet at the control group of its socket, in words; `deciding`: which programs are asked."""
    if packet.protocol in {ICMP, ICMPV6} and deciding is not ASKING:
        return  # the kernel's own
    places = place.state.socket_programs()
    where = f"{place.node.name} {place.title}"
    if isinstance(places, Absent):
        if places.why not in {Why.NOT_LOADED, Why.NOT_ASKED}:
            yield f"{where}: programs of control groups could not be read: {places.detail or places.why.value}"
        return
    unasked = {4: "6_", 6: "4_"}[packet.family]
    for each in places:
        if (
            each not in deciding
            or unasked in each
            or (each.startswith("cgroup_udp") and packet.protocol != UDP)
        ):
            continue
        yield f"{where}: a program of its control group ({each}) is not modelled"


def beneath(node: NodeState, state: NamespaceState, device: Link, depth: int = 0) -> Iterator[str]:
    """What may decide about a packet at the devices by which a VLAN, macvlan, bond, ... sends it on, in words."""
    if depth > MOST_SEGMENTS:  # the kernel allows no rings, but whoever wrote a recording may
        return
    for station in _lower(node, state, device):
        if station.state is None:
            continue
        yield from beyond(node, station.state, station.link, incoming=False)
        netem = station.link.netem
        if netem is not None and (netem.loss or netem.unsure):
            yield f"{node.name} {station.link.name}: netem loses packets below {device.name}, which is not modelled"
        yield from beneath(node, station.state, station.link, depth + 1)


def _lower(node: NodeState, state: NamespaceState, device: Link) -> Iterator[Station]:
    lower = lower_of(node, state, device)
    if lower is not None:
        yield lower
    if device.kind in AGGREGATES and not device.is_loopback:
        for link in tables_of(state).enslaved.get(device.index, ()):
            yield Station(state=state, link=link)
