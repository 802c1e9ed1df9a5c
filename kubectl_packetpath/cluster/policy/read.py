"""Policies in the API's JSON, read into our data.

A NetworkPolicy's `policyTypes` may be left out: it is then one for Ingress, and for Egress too if it has egress rules.
The API server fills that in, but a file made by hand may not.

Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
Kubernetes: sigs.k8s.io/network-policy-api apis/v1alpha1 (AdminNetworkPolicy), apis/v1alpha2 and v1beta1
(ClusterNetworkPolicy)
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from kubectl_packetpath.cluster.policy.objects import (
    Action,
    Direction,
    IpBlock,
    Network,
    NetworkPolicy,
    Peer,
    Policies,
    PolicyName,
    PortMatch,
    Rule,
    Tier,
    TieredPolicy,
)
from kubectl_packetpath.cluster.policy.selectors import LabelSelector, Requirement
from kubectl_packetpath.snapshot.absent import Absent, Why

Json = Mapping[str, Any]
NAMESPACED = "networkpolicies"
TIERED = {
    "adminnetworkpolicies": "AdminNetworkPolicy",
    "baselineadminnetworkpolicies": "BaselineAdminNetworkPolicy",
    "clusternetworkpolicies": "ClusterNetworkPolicy",
}
POLICIES = {NAMESPACED, *TIERED}
ACTIONS = {"Allow": Action.ALLOW, "Accept": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS}
NOT_RECORDED = Absent(why=Why.NOT_ASKED, detail="policies were not recorded")


def policies_of(objects: Mapping[str, Iterable[Json]]) -> Policies:
    """All policies among the objects of a cluster, and the kinds that could not be read."""
    absent = {kind: why for kind, why in absent_of(objects).items() if kind in POLICIES}
    partly = (row for row in objects.get("absent", ()) if row.get("kind") == NAMESPACED)
    only = (row["only"] for row in partly if isinstance(row.get("only"), list))
    if NAMESPACED not in objects:
        absent.setdefault(NAMESPACED, NOT_RECORDED)
    return Policies(
        namespaced=tuple(network_policy_of(each) for each in objects.get(NAMESPACED, ())),
        tiered=tuple(
            tiered_policy_of(each, kind) for key, kind in TIERED.items() for each in objects.get(key, ())
        ),
        absent=absent,
        namespaces_read=tuple(str(each) for listed in only for each in listed),
    )


def absent_of(objects: Mapping[str, Iterable[Json]]) -> dict[str, Absent]:
    """The kinds that could not be read at all, and why."""
    return {
        str(row.get("kind")): Absent(why=_why(row), detail=str(row.get("detail") or ""))
        for row in objects.get("absent", ())
        if not row.get("only")
    }


def _why(row: Json) -> Why:
    try:
        return Why(str(row.get("why")))
    except ValueError:
        return Why.UNREADABLE


def network_policy_of(given: Json) -> NetworkPolicy:
    """A NetworkPolicy."""
    meta, spec = _part(given, "metadata"), _part(given, "spec")
    written = spec.get("policyTypes")
    directions = [Direction.INGRESS, *([Direction.EGRESS] if spec.get("egress") else [])]
    if isinstance(written, list) and written:
        directions = [each for each in Direction if each.value.capitalize() in written]
    return NetworkPolicy(
        name=PolicyName(
            kind="NetworkPolicy", namespace=_text(meta, "namespace") or "default", name=_text(meta, "name")
        ),
        selector=selector_of(_part(spec, "podSelector")),
        directions=tuple(directions),
        ingress=tuple(_rule(each, "from") for each in _rows(spec, "ingress")),
        egress=tuple(_rule(each, "to") for each in _rows(spec, "egress")),
    )


def _rule(given: Json, peers: str) -> Rule:
    ports = tuple(_port(each) for each in _rows(given, "ports"))
    return Rule(peers=tuple(_peer(each) for each in _rows(given, peers)), ports=ports or None)


def _port(given: Json) -> PortMatch:
    port = given.get("port")
    protocol = _text(given, "protocol") or "TCP"
    if isinstance(port, str):
        return PortMatch(protocol=protocol, name=port)
    return PortMatch(protocol=protocol, first=_number(given, "port"), last=_number(given, "endPort"))


def _peer(given: Json) -> Peer:
    block = given.get("ipBlock")
    if isinstance(block, Mapping):
        return Peer(block=_block(_text(block, "cidr"), block.get("except") or ()))
    return Peer(pods=_optional(given, "podSelector"), namespaces=_optional(given, "namespaceSelector"))


def _block(written: str, excepted: Iterable[Any] = ()) -> IpBlock:
    parts = tuple(each for text in excepted if (each := _network(str(text))) is not None)
    told = f"{written} except {', '.join(map(str, excepted))}" if excepted else written
    return IpBlock(network=_network(written), written=told, excepted=parts)


def tiered_policy_of(given: Json, kind: str) -> TieredPolicy:
    """An AdminNetworkPolicy, a BaselineAdminNetworkPolicy or a ClusterNetworkPolicy."""
    meta, spec = _part(given, "metadata"), _part(given, "spec")
    baseline = kind == "BaselineAdminNetworkPolicy" or _text(spec, "tier") == "Baseline"
    return TieredPolicy(
        name=PolicyName(kind=kind, name=_text(meta, "name")),
        tier=Tier.BASELINE if baseline else Tier.ADMIN,
        priority=_number(spec, "priority") or 0,
        subject=_tiered_peer(_part(spec, "subject")),
        ingress=tuple(_tiered_rule(each, "from") for each in _rows(spec, "ingress")),
        egress=tuple(_tiered_rule(each, "to") for each in _rows(spec, "egress")),
    )


def _tiered_rule(given: Json, peers: str) -> Rule:
    ports = [*map(_tiered_port, _rows(given, "ports")), *map(_protocol, _rows(given, "protocols"))]
    return Rule(
        name=_text(given, "name"),
        action=ACTIONS.get(_text(given, "action"), Action.DENY),
        peers=tuple(_tiered_peer(each) for each in _rows(given, peers)),
        ports=tuple(ports) or None,
    )


def _tiered_port(given: Json) -> PortMatch:
    number, span = _part(given, "portNumber"), _part(given, "portRange")
    if span:
        first, last = _number(span, "start"), _number(span, "end")
        return PortMatch(protocol=_text(span, "protocol") or "TCP", first=first, last=last)
    if number:
        return PortMatch(protocol=_text(number, "protocol") or "TCP", first=_number(number, "port"))
    return PortMatch(protocol="", name=_text(given, "namedPort"))


def _protocol(given: Json) -> PortMatch:
    for protocol in ("tcp", "udp", "sctp"):
        if protocol in given:
            port = _part(_part(given, protocol), "destinationPort")
            span = _part(port, "range")
            first = _number(span, "start") if span else _number(port, "number")
            return PortMatch(protocol=protocol.upper(), first=first, last=_number(span, "end"))
    return PortMatch(protocol="", name=_text(given, "destinationNamedPort"))


def _tiered_peer(given: Json) -> Peer:
    """A peer or a subject; one field says of which sort it is."""
    if isinstance(pods := given.get("pods"), Mapping):
        return _pods_in(pods)
    if isinstance(namespaces := given.get("namespaces"), Mapping):
        return _of_namespaces(namespaces, LabelSelector())
    networks = given.get("networks")
    domains = given.get("domainNames")
    return Peer(
        nodes=_optional(given, "nodes"),
        networks=tuple(_block(str(each)) for each in networks) if isinstance(networks, list) else (),
        domains=tuple(map(str, domains)) if isinstance(domains, list) else (),
    )


def _pods_in(given: Json) -> Peer:
    pods = selector_of(_part(given, "podSelector"))
    if isinstance(namespaces := given.get("namespaces"), Mapping):
        return _of_namespaces(namespaces, pods)
    return Peer(namespaces=selector_of(_part(given, "namespaceSelector")), pods=pods)


def _of_namespaces(given: Json, pods: LabelSelector) -> Peer:
    """A selector, or what older versions put around it."""
    if isinstance(given.get("sameLabels"), list):
        return Peer(pods=pods, same_labels=tuple(map(str, given["sameLabels"])))
    if isinstance(given.get("notSameLabels"), list):
        return Peer(pods=pods, not_same_labels=tuple(map(str, given["notSameLabels"])))
    if isinstance(inner := given.get("namespaceSelector"), Mapping):
        return Peer(pods=pods, namespaces=selector_of(inner))
    return Peer(pods=pods, namespaces=selector_of(given))


def selector_of(given: Json) -> LabelSelector:
    """A label selector; `matchLabels` is short for lists of one value."""
    labels = given.get("matchLabels")
    short = labels.items() if isinstance(labels, Mapping) else ()
    return LabelSelector(
        requirements=(
            *(Requirement(key=str(k), operator="In", values=(str(v),)) for k, v in sorted(short)),
            *_expressions(given),
        )
    )


def _expressions(given: Json) -> Iterator[Requirement]:
    for each in _rows(given, "matchExpressions"):
        values = each.get("values")
        yield Requirement(
            key=_text(each, "key"),
            operator=_text(each, "operator"),
            values=tuple(map(str, values)) if isinstance(values, list) else (),
        )


def _optional(given: Json, key: str) -> LabelSelector | None:
    part = given.get(key)
    return selector_of(part) if isinstance(part, Mapping) else None


def _part(given: Json, key: str) -> Json:
    part = given.get(key)
    return part if isinstance(part, Mapping) else {}


def _rows(given: Json, key: str) -> list[Json]:
    rows = given.get(key)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _text(given: Json, key: str) -> str:
    value = given.get(key)
    return value if isinstance(value, str) else ""


def _number(given: Json, key: str) -> int | None:
    value = given.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
