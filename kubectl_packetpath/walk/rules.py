"""Which policy rule (`ip rule`) holds for a question about routing.

Kernel: net/core/fib_rules.c fib_rule_match, net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c, net/l3mdev/l3mdev.c
"""

from collections.abc import Iterator

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import Network, PolicyRule
from kubectl_packetpath.walk.tables import Tables
from kubectl_packetpath.walk.ways import RouteQuery

LEGACY_TOS_MASK = 0x1C
DSCP_MASK = 0xFC


def matches(rule: PolicyRule, query: RouteQuery, tables: Tables) -> tuple[bool, tuple[str, ...]]:
    """Whether the rule holds, and what had to be assumed to say so."""
    holds = all(_conditions(rule, query, tables))
    doubts: tuple[str, ...] = ()
    if rule.uid_range is not None and query.uid is None and query.iif is None and holds != rule.invert:
        doubts = (f"ip rule {rule.priority}: the sender's uid is not known, root is taken",)
    return holds != rule.invert, doubts


def _conditions(rule: PolicyRule, query: RouteQuery, tables: Tables) -> Iterator[bool]:
    yield not rule.iif or _is_device(rule.iif, query.iif, tables, local=query.iif is None)
    yield not rule.oif or _is_device(rule.oif, query.oif, tables, local=False)
    yield (query.mark ^ rule.mark) & rule.mask == 0
    yield not rule.tunnel_id
    yield not rule.l3mdev or vrf_of(query, tables) is not None
    yield rule.uid_range is None or rule.uid_range[0] <= (query.uid or 0) <= rule.uid_range[1]
    yield _within(rule.source, query.source)
    yield _within(rule.destination, query.destination)
    mask = LEGACY_TOS_MASK if rule.family == 4 else DSCP_MASK
    yield not rule.tos or rule.tos == query.tos & mask
    yield not rule.protocol or rule.protocol == query.protocol
    yield _in_range(rule.sport_range, query.sport)
    yield _in_range(rule.dport_range, query.dport)


def _is_device(name: str, device: Link | None, tables: Tables, *, local: bool) -> bool:
    if local:
        return name == "lo"
    if device is None:
        return False
    master = tables.links.get(device.master or 0)
    in_vrf = master is not None and master.vrf_table is not None and master.name == name
    return device.name == name or in_vrf


def _within(network: Network | None, address: Address | None) -> bool:
    if network is None or network.prefixlen == 0:
        return True
    return address is not None and address in network


def _in_range(wanted: tuple[int, int] | None, port: int) -> bool:
    return wanted is None or wanted[0] <= port <= wanted[1]


def vrf_of(query: RouteQuery, tables: Tables) -> Link | None:
    """The VRF device that the packet's device is, or belongs to."""
    device = query.oif or query.iif
    if device is None:
        return None
    if device.vrf_table is not None:
        return device
    master = tables.links.get(device.master or 0)
    return master if master is not None and master.vrf_table is not None else None


def named_table(rule: PolicyRule, query: RouteQuery, tables: Tables) -> int | None:
    """The table that the rule sends the question to."""
    if not rule.l3mdev:
        return rule.table
    vrf = vrf_of(query, tables)
    return None if vrf is None else vrf.vrf_table
