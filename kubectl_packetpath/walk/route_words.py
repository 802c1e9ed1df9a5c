"""Routes and rules in the words of `ip route` and `ip rule`."""

from collections.abc import Iterator

from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import Network, PolicyRule, Route

TABLES = {253: "default", 254: "main", 255: "local"}
PROTOCOLS = {2: "kernel", 3: "boot", 4: "static", 9: "ra", 11: "zebra", 12: "bird", 16: "dhcp", 186: "bgp"}
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}


def table_name(number: int) -> str:
    """A table as `ip route show table` calls it."""
    return TABLES.get(number, str(number))


def network_text(network: Network) -> str:
    """`default`, a bare address for a single host, or the prefix."""
    if network.prefixlen == 0:
        return "default"
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def route_text(route: Route, device: Link | None) -> str:
    """A route as `ip route` prints it; of several next hops only the one that goes out by this device is named."""
    return " ".join(_route_words(route, device))


def _route_words(route: Route, device: Link | None) -> Iterator[str]:
    if route.type != "unicast":
        yield route.type
    yield network_text(route.destination)
    if route.source is not None and route.source.prefixlen:
        yield f"from {route.source}"
    if route.tos:
        yield f"tos {route.tos:#04x}"
    if route.nexthop_id is not None:
        yield f"nhid {route.nexthop_id}"
    hop = next((h for h in route.hops if device is None or h.device == device.index), None)
    if hop is not None and hop.gateway is not None:
        inet = "inet6 " if hop.gateway.version != route.destination.version else ""
        yield f"via {inet}{hop.gateway}"
    if device is not None:
        yield f"dev {device.name}"
    if route.table not in TABLES:
        yield f"table {route.table}"
    if route.protocol:
        yield f"proto {PROTOCOLS.get(route.protocol, route.protocol)}"
    if route.scope and route.destination.version == 4:
        yield f"scope {SCOPES.get(route.scope, route.scope)}"
    if route.preferred_source is not None:
        yield f"src {route.preferred_source}"
    if route.metric:
        yield f"metric {route.metric}"
    if route.mtu is not None:
        yield f"mtu {route.mtu}"
    if len(route.hops) > 1 and hop is not None:
        yield f"weight {hop.weight}"


def rule_text(rule: PolicyRule) -> str:
    """A policy rule as `ip rule` prints it."""
    return " ".join(_rule_words(rule))


def _rule_words(rule: PolicyRule) -> Iterator[str]:
    yield f"{rule.priority}:"
    if rule.invert:
        yield "not"
    yield f"from {network_text(rule.source) if rule.source is not None and rule.source.prefixlen else 'all'}"
    if rule.destination is not None and rule.destination.prefixlen:
        yield f"to {network_text(rule.destination)}"
    if rule.tos:
        yield f"tos {rule.tos:#04x}"
    if rule.mask or rule.mark:
        full = rule.mask == 0xFFFFFFFF
        yield f"fwmark {rule.mark:#x}" if full else f"fwmark {rule.mark:#x}/{rule.mask:#x}"
    if rule.iif:
        yield f"iif {rule.iif}"
    if rule.oif:
        yield f"oif {rule.oif}"
    if rule.uid_range is not None:
        yield f"uidrange {rule.uid_range[0]}-{rule.uid_range[1]}"
    if rule.protocol:
        yield f"ipproto {rule.protocol}"
    if rule.sport_range is not None:
        yield f"sport {_ports(rule.sport_range)}"
    if rule.dport_range is not None:
        yield f"dport {_ports(rule.dport_range)}"
    yield from _action_words(rule)


def _ports(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def _action_words(rule: PolicyRule) -> Iterator[str]:
    if rule.action == "to_table":
        yield "lookup [l3mdev-table]" if rule.l3mdev else f"lookup {table_name(rule.table)}"
    elif rule.action == "goto":
        yield f"goto {rule.goto}"
    else:
        yield rule.action
    if rule.suppress_prefix_length is not None:
        yield f"suppress_prefixlength {rule.suppress_prefix_length}"
    if rule.suppress_group is not None:
        yield f"suppress_ifgroup {rule.suppress_group}"
