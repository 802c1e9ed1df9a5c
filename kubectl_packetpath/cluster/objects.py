"""Kubernetes' own JSON, read into our data.

The same reader serves the live API and the objects kept in a bundle. What is missing or malformed in an
object is left out: the API checks its objects, and a bundle's may come from anywhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from kubectl_packetpath.cluster.model import (
    BalancerAddress,
    Cluster,
    ContainerPort,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Namespace,
    Network,
    Node,
    Pod,
    Service,
    ServicePort,
)
from kubectl_packetpath.cluster.policy.read import policies_of
from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent, Why

Json = Mapping[str, Any]
ZONE_LABEL = "topology.kubernetes.io/zone"
SERVICE_LABEL = "kubernetes.io/service-name"


def cluster_of(objects: Mapping[str, Iterable[Json]], *, context: str = "", namespace: str = "") -> Cluster:
    """All objects, by kind as the API's list paths name them (`services`, `pods`, …)."""
    return Cluster(
        context=context,
        namespace=namespace or "default",
        services=tuple(service_of(each) for each in objects.get("services", ())),
        slices=tuple(slice_of(each) for each in objects.get("endpointslices", ())),
        pods=tuple(pod_of(each) for each in objects.get("pods", ())),
        nodes=tuple(sorted((node_of(each) for each in objects.get("nodes", ())), key=lambda n: n.name)),
        namespaces=(
            tuple(namespace_of(each) for each in objects["namespaces"])
            if "namespaces" in objects
            else Absent(why=Why.NOT_ASKED, detail="namespaces were not recorded")
        ),
        policies=policies_of(objects),
    )


def service_of(given: Json) -> Service:
    """A Service."""
    meta, spec = _part(given, "metadata"), _part(given, "spec")
    listed = _rows(_part(_part(given, "status"), "loadBalancer"), "ingress")
    return Service(
        namespace=_text(meta, "namespace"),
        name=_text(meta, "name"),
        type=_text(spec, "type") or "ClusterIP",
        cluster_ips=tuple(_addresses(spec.get("clusterIPs") or [spec.get("clusterIP")])),
        headless=spec.get("clusterIP") == "None",
        ports=tuple(_service_port(each) for each in _rows(spec, "ports")),
        selector=_pairs(spec.get("selector")),
        external_name=_text(spec, "externalName"),
        external_ips=tuple(_addresses(spec.get("externalIPs"))),
        balancer=tuple(_balancer_address(each) for each in listed),
        external_traffic_policy=_text(spec, "externalTrafficPolicy") or "Cluster",
        internal_traffic_policy=_text(spec, "internalTrafficPolicy") or "Cluster",
        session_affinity=_text(spec, "sessionAffinity") or "None",
    )


def _service_port(given: Json) -> ServicePort:
    return ServicePort(
        name=_text(given, "name"),
        protocol=_text(given, "protocol") or "TCP",
        port=_number(given, "port") or 0,
        node_port=_number(given, "nodePort"),
        target_port=str(given.get("targetPort", given.get("port", ""))),
        app_protocol=_text(given, "appProtocol"),
    )


def _balancer_address(given: Json) -> BalancerAddress:
    return BalancerAddress(
        address=next(_addresses([given.get("ip")]), None),
        hostname=_text(given, "hostname"),
        mode=_text(given, "ipMode") or "VIP",
    )


def slice_of(given: Json) -> EndpointSlice:
    """An EndpointSlice."""
    meta = _part(given, "metadata")
    ports = (
        EndpointPort(
            name=_text(each, "name"), protocol=_text(each, "protocol") or "TCP", port=_number(each, "port")
        )
        for each in _rows(given, "ports")
    )
    return EndpointSlice(
        namespace=_text(meta, "namespace"),
        name=_text(meta, "name"),
        service=_text(_part(meta, "labels"), SERVICE_LABEL),
        ports=tuple(ports),
        endpoints=tuple(_endpoint(each) for each in _rows(given, "endpoints")),
    )


def _endpoint(given: Json) -> Endpoint:
    conditions, hints, target = _part(given, "conditions"), _part(given, "hints"), _part(given, "targetRef")
    ready = conditions.get("ready") is not False
    return Endpoint(
        addresses=tuple(_addresses(given.get("addresses"))),
        ready=ready,
        serving=bool(conditions.get("serving", ready)),
        terminating=bool(conditions.get("terminating")),
        node=_text(given, "nodeName"),
        zone=_text(given, "zone"),
        zone_hints=tuple(_text(each, "name") for each in _rows(hints, "forZones")),
        node_hints=tuple(_text(each, "name") for each in _rows(hints, "forNodes")),
        pod=_text(target, "name") if target.get("kind") == "Pod" else "",
    )


def pod_of(given: Json) -> Pod:
    """A pod."""
    meta, spec, status = _part(given, "metadata"), _part(given, "spec"), _part(given, "status")
    listed = [each.get("ip") for each in _rows(status, "podIPs")] or [status.get("podIP")]
    ports = (
        ContainerPort(
            name=_text(port, "name"),
            port=_number(port, "containerPort") or 0,
            protocol=_text(port, "protocol") or "TCP",
        )
        for container in (*_rows(spec, "containers"), *_rows(spec, "initContainers"))
        for port in _rows(container, "ports")
    )
    return Pod(
        namespace=_text(meta, "namespace"),
        name=_text(meta, "name"),
        uid=_text(meta, "uid"),
        node=_text(spec, "nodeName"),
        addresses=tuple(_addresses(listed)),
        host_network=bool(spec.get("hostNetwork")),
        ports=tuple(ports),
        phase=_text(status, "phase"),
        ready=any(
            c.get("type") == "Ready" and c.get("status") == "True" for c in _rows(status, "conditions")
        ),
        labels=_pairs(meta.get("labels")),
    )


def node_of(given: Json) -> Node:
    """A node."""
    meta, spec, status = _part(given, "metadata"), _part(given, "spec"), _part(given, "status")
    order = {"InternalIP": 0, "ExternalIP": 1}
    listed = [each for each in _rows(status, "addresses") if each.get("type") in order]
    listed.sort(key=lambda each: order[each["type"]])
    networks = spec.get("podCIDRs") or [spec.get("podCIDR")]
    return Node(
        name=_text(meta, "name"),
        addresses=tuple(_addresses(each.get("address") for each in listed)),
        pod_networks=tuple(_networks(networks)),
        zone=_text(_part(meta, "labels"), ZONE_LABEL),
        ready=any(
            c.get("type") == "Ready" and c.get("status") == "True" for c in _rows(status, "conditions")
        ),
        labels=_pairs(meta.get("labels")),
    )


def namespace_of(given: Json) -> Namespace:
    """A namespace."""
    meta = _part(given, "metadata")
    return Namespace(name=_text(meta, "name"), labels=_pairs(meta.get("labels")))


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
    return value if isinstance(value, int) else None


def _pairs(given: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(k), str(v)) for k, v in given.items())) if isinstance(given, Mapping) else ()


def _addresses(listed: Iterable[Any] | None) -> Iterator[Address]:
    for each in listed or ():
        try:
            yield ip_address(str(each))
        except ValueError:
            continue


def _networks(listed: Iterable[Any]) -> Iterator[Network]:
    for each in listed:
        try:
            yield ip_network(str(each), strict=False)
        except ValueError:
            continue
