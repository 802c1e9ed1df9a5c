"""What is wrong, as sentences with evidence and what to do about it; each problem has a module of its own."""

from collections.abc import Iterable
from dataclasses import replace

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.http.live.drift import View
from kubectl_packetpath.findings import (
    balancer_is_not_announced,
    balancer_is_pending,
    bridged_answer_is_not_translated,
    conntrack_is_full,
    endpoint_is_gone,
    endpoint_not_programmed,
    endpoint_on_lost_node,
    endpoints_are_missing,
    flows_are_pinned,
    foreign_rule_stops,
    forwarding_is_off,
    hairpin_is_off,
    ip_family_is_missing,
    listens_on_loopback,
    loopback_node_port,
    named_port_is_unknown,
    neighbour_is_silent,
    netem_loses_packets,
    no_local_endpoint,
    nothing_listens,
    packet_is_too_long,
    pod_address_is_taken,
    pods_are_not_ready,
    policies_are_not_enforced,
    policies_are_not_programmed,
    policies_deny,
    proxy_arp_is_off,
    proxy_avoids_endpoints,
    proxy_has_other_endpoints,
    proxy_has_other_route,
    proxy_in_two_back_ends,
    proxy_lacks_listener,
    proxy_lacks_route,
    resolver_differs,
    reverse_path_filter_drops,
    route_discards,
    route_is_missing,
    rules_deny_what_policies_allow,
    selector_matches_no_pod,
    service_not_programmed,
    source_is_not_allowed,
    tunnel_leads_elsewhere,
)
from kubectl_packetpath.findings.base import Check, Finding, Severity

CHECKS: tuple[Check, ...] = (
    selector_matches_no_pod.CHECK,
    pods_are_not_ready.CHECK,
    named_port_is_unknown.CHECK,
    endpoints_are_missing.CHECK,
    no_local_endpoint.CHECK,
    nothing_listens.CHECK,
    listens_on_loopback.CHECK,
    balancer_is_pending.CHECK,
    ip_family_is_missing.CHECK,
    source_is_not_allowed.CHECK,
    loopback_node_port.CHECK,
    endpoint_on_lost_node.CHECK,
    balancer_is_not_announced.CHECK,
    proxy_lacks_listener.CHECK,
    proxy_lacks_route.CHECK,
    proxy_has_other_route.CHECK,
    proxy_has_other_endpoints.CHECK,
    proxy_avoids_endpoints.CHECK,
    service_not_programmed.CHECK,
    endpoint_not_programmed.CHECK,
    endpoint_is_gone.CHECK,
    proxy_in_two_back_ends.CHECK,
    forwarding_is_off.CHECK,
    foreign_rule_stops.CHECK,
    route_is_missing.CHECK,
    route_discards.CHECK,
    neighbour_is_silent.CHECK,
    hairpin_is_off.CHECK,
    bridged_answer_is_not_translated.CHECK,
    reverse_path_filter_drops.CHECK,
    tunnel_leads_elsewhere.CHECK,
    packet_is_too_long.CHECK,
    proxy_arp_is_off.CHECK,
    pod_address_is_taken.CHECK,
    netem_loses_packets.CHECK,
    conntrack_is_full.CHECK,
    flows_are_pinned.CHECK,
    policies_are_not_enforced.CHECK,
    policies_are_not_programmed.CHECK,
    rules_deny_what_policies_allow.CHECK,
    policies_deny.CHECK,
    resolver_differs.CHECK,
)
"""In the order of their codes."""


def findings(answer: Answer, way: Answered) -> tuple[Finding, ...]:
    """All that is found in one way of an answer, alike ones once."""
    return _once(found for check in CHECKS for found in check.look(answer, way))


def findings_at_all(answer: Answer) -> tuple[Finding, ...]:
    """All that is found in an answer as a whole."""
    return _once(found for check in CHECKS for found in check.look_at_all(answer))


def findings_of_proxy(view: View) -> tuple[Finding, ...]:
    """All that is found in what a proxy says that it has loaded."""
    return _once(found for check in CHECKS for found in check.look_at_proxy(view))


def _once(told: Iterable[Finding]) -> tuple[Finding, ...]:
    found: dict[Finding, tuple[int, ...]] = {}
    for each in told:
        key = replace(each, paths=())
        found[key] = (*found.get(key, ()), *each.paths)
    return tuple(replace(each, paths=paths) for each, paths in found.items())


__all__ = ["CHECKS", "Check", "Finding", "Severity", "findings", "findings_at_all", "findings_of_proxy"]
