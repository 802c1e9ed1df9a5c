"""What is attached to a device, or to those below it, and may decide about a packet beyond this walk.

Kernel: net/core/dev.c sch_handle_egress, nf_hook_egress; drivers/net/macvlan.c, net/8021q/vlan_dev.c, drivers/net/bonding
"""

from collections.abc import Iterator

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.nftables import NFPROTO_INET, NFPROTO_NETDEV
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState
from kubectl_packetpath.walk.segment import AGGREGATES, MOST_SEGMENTS, Station, lower_of
from kubectl_packetpath.walk.tables import tables_of

INGRESS_HOOK = {NFPROTO_NETDEV: 0, NFPROTO_INET: 5}


def beyond(node: NodeState, state: NamespaceState, device: Link, *, incoming: bool) -> Iterator[str]:
    """What may decide about a packet at the device itself, in words."""
    name = f"{node.name} {device.name}"
    if incoming and device.xdp_program is not None:
        yield f"{name}: XDP program {device.xdp_program} is not modelled"
    if device.has_tc_programs:
        yield f"{name}: a tc program is not modelled"
    chains = state.nft_base_chains()
    for chain in () if isinstance(chains, Absent) else chains:
        hook = chain.hook
        if hook is None or device.name not in hook.devices:
            continue
        ingress = hook.number == INGRESS_HOOK.get(chain.family)
        if ingress == incoming and (ingress or chain.family == NFPROTO_NETDEV):
            yield f"{name}: nft chain {chain.table}/{chain.name} at the device is not modelled"


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
        for link in tables_of(state).links.values():
            if link.master == device.index:
                yield Station(state=state, link=link)
