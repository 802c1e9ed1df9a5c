"""Routes and rules in the words of `ip route` and `ip rule`."""

from collections.abc import Iterator

from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import Network, PolicyRule, Route

TABLES = {253: "default", 254: "main", 255: "local"}
PROTOCOLS = {2: "kernel", 3: "boot", 4: "static", 9: "ra", 11: "zebra", 12: "bird", 16: "dhcp", 186: "bgp"}
PREFERENCES = {1: "high", 3: "low"}
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
    hop = next((h for h in route.hops if device is None or h.device == device.index), None)
    gateway = hop.gateway if hop is not None else None
    inet = "inet6 " if gateway is not None and gateway.version != route.destination.version else ""
    scope = route.scope if route.destination.version == 4 else 0
    shown: tuple[tuple[object, str], ...] = (
        (route.tos, f"tos {route.tos:#04x}"),
        (route.nexthop_id, f"nhid {route.nexthop_id}"),
        (gateway, f"via {inet}{gateway}"),
        (device, f"dev {device.name if device else ''}"),
        (route.table not in TABLES, f"table {route.table}"),
        (route.protocol, f"proto {PROTOCOLS.get(route.protocol, route.protocol)}"),
        (scope, f"scope {SCOPES.get(scope, scope)}"),
        (route.preferred_source, f"src {route.preferred_source}"),
        (route.metric, f"metric {route.metric}"),
        (route.preference, f"pref {PREFERENCES.get(route.preference, route.preference)}"),
        (route.mtu, f"mtu {route.mtu}"),
        (len(route.hops) > 1 and hop, f"weight {hop.weight if hop else 1}"),
    )
    yield from (text for there, text in shown if there)


def rule_text(rule: PolicyRule) -> str:
    """A policy rule as `ip rule` prints it."""
    return " ".join(_rule_words(rule))


def _rule_words(rule: PolicyRule) -> Iterator[str]:
    source, destination = rule.source, rule.destination
    mask = "" if rule.mask == 0xFFFFFFFF else f"/{rule.mask:#x}"
    uids = rule.uid_range or (0, 0)
    shown: tuple[tuple[object, str], ...] = (
        (True, f"{rule.priority}:"),
        (rule.invert, "not"),
        (True, f"from {network_text(source) if source is not None and source.prefixlen else 'all'}"),
        (
            destination is not None and destination.prefixlen,
            f"to {network_text(destination) if destination else ''}",
        ),
        (rule.tos, f"tos {rule.tos:#04x}"),
        (rule.mask or rule.mark, f"fwmark {rule.mark:#x}{mask}"),
        (rule.iif, f"iif {rule.iif}"),
        (rule.oif, f"oif {rule.oif}"),
        (rule.uid_range, f"uidrange {uids[0]}-{uids[1]}"),
        (rule.protocol, f"ipproto {rule.protocol}"),
        (rule.sport_range, f"sport {_ports(rule.sport_range or (0, 0))}"),
        (rule.dport_range, f"dport {_ports(rule.dport_range or (0, 0))}"),
    )
    yield from (text for there, text in shown if there)
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
