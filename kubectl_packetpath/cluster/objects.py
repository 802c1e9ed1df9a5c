"""Kubernetes' own JSON, read into our data.

The same reader serves the live API and the objects kept in a bundle. What is missing or malformed in an
object is left out: the API checks its objects, and a bundle's may come from anywhere.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Any, TypeVar

from kubectl_packetpath.cluster.fields import Json, addresses, number, pairs, part, rows, text, texts
from kubectl_packetpath.cluster.http.web_objects import web_of
from kubectl_packetpath.cluster.model import (
    Announcement,
    BalancerAddress,
    Cluster,
    ContainerPort,
    DaemonSet,
    DnsConfig,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Namespace,
    Network,
    Node,
    Pod,
    Service,
    ServicePort,
    TargetGroup,
)
from kubectl_packetpath.cluster.policy.read import absent_of, policies_of
from kubectl_packetpath.snapshot.absent import Absent, Section, Why

T = TypeVar("T")
ZONE_LABEL = "topology.kubernetes.io/zone"
CHANGED = "endpoints.kubernetes.io/last-change-trigger-time"
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
        namespaces=_section(objects, "namespaces", namespace_of),
        daemonsets=_section(objects, "daemonsets", daemonset_of),
        announcements=_section(objects, "announcements", announcement_of),
        target_groups=_section(objects, "targetgroupbindings", target_group_of),
        policies=policies_of(objects),
        web=web_of(objects),
    )


def service_of(given: Json) -> Service:
    """A Service."""
    meta, spec = part(given, "metadata"), part(given, "spec")
    listed = rows(part(part(given, "status"), "loadBalancer"), "ingress")
    return Service(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        type=text(spec, "type") or "ClusterIP",
        cluster_ips=tuple(addresses(spec.get("clusterIPs") or [spec.get("clusterIP")])),
        headless=spec.get("clusterIP") == "None",
        ports=tuple(_service_port(each) for each in rows(spec, "ports")),
        selector=pairs(spec.get("selector")),
        external_name=text(spec, "externalName"),
        external_ips=tuple(addresses(spec.get("externalIPs"))),
        balancer=tuple(_balancer_address(each) for each in listed),
        external_traffic_policy=text(spec, "externalTrafficPolicy") or "Cluster",
        internal_traffic_policy=text(spec, "internalTrafficPolicy") or "Cluster",
        session_affinity=text(spec, "sessionAffinity") or "None",
        publish_not_ready=bool(spec.get("publishNotReadyAddresses")),
        source_ranges=tuple(_networks(texts(spec, "loadBalancerSourceRanges"))),
        health_check_port=number(spec, "healthCheckNodePort") or None,
        annotations=pairs(meta.get("annotations")),
        balancer_class=text(spec, "loadBalancerClass"),
        finalizers=texts(meta, "finalizers"),
    )


def _service_port(given: Json) -> ServicePort:
    return ServicePort(
        name=text(given, "name"),
        protocol=text(given, "protocol") or "TCP",
        port=number(given, "port") or 0,
        node_port=number(given, "nodePort"),
        target_port=str(given.get("targetPort", given.get("port", ""))),
        app_protocol=text(given, "appProtocol"),
    )


def _balancer_address(given: Json) -> BalancerAddress:
    return BalancerAddress(
        address=next(addresses([given.get("ip")]), None),
        hostname=text(given, "hostname"),
        mode=text(given, "ipMode") or "VIP",
    )


def slice_of(given: Json) -> EndpointSlice:
    """An EndpointSlice."""
    meta = part(given, "metadata")
    ports = (
        EndpointPort(
            name=text(each, "name"), protocol=text(each, "protocol") or "TCP", port=number(each, "port")
        )
        for each in rows(given, "ports")
    )
    return EndpointSlice(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        service=text(part(meta, "labels"), SERVICE_LABEL),
        ports=tuple(ports),
        endpoints=tuple(_endpoint(each) for each in rows(given, "endpoints")),
        changed=_moment(text(part(meta, "annotations"), CHANGED)),
    )


def _moment(written: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _endpoint(given: Json) -> Endpoint:
    conditions, hints, target = part(given, "conditions"), part(given, "hints"), part(given, "targetRef")
    ready = conditions.get("ready") is not False
    return Endpoint(
        addresses=tuple(addresses(given.get("addresses"))),
        ready=ready,
        serving=bool(conditions.get("serving", ready)),
        terminating=bool(conditions.get("terminating")),
        node=text(given, "nodeName"),
        zone=text(given, "zone"),
        zone_hints=tuple(text(each, "name") for each in rows(hints, "forZones")),
        node_hints=tuple(text(each, "name") for each in rows(hints, "forNodes")),
        pod=text(target, "name") if target.get("kind") == "Pod" else "",
        hostname=text(given, "hostname"),
    )


def pod_of(given: Json) -> Pod:
    """A pod."""
    meta, spec, status = part(given, "metadata"), part(given, "spec"), part(given, "status")
    listed = [each.get("ip") for each in rows(status, "podIPs")] or [status.get("podIP")]
    ports = (
        ContainerPort(
            name=text(port, "name"),
            port=number(port, "containerPort") or 0,
            protocol=text(port, "protocol") or "TCP",
        )
        for container in (*rows(spec, "containers"), *rows(spec, "initContainers"))
        for port in rows(container, "ports")
    )
    return Pod(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        uid=text(meta, "uid"),
        node=text(spec, "nodeName"),
        addresses=tuple(addresses(listed)),
        host_network=bool(spec.get("hostNetwork")),
        ports=tuple(ports),
        phase=text(status, "phase"),
        ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in rows(status, "conditions")),
        labels=pairs(meta.get("labels")),
        dns_policy=text(spec, "dnsPolicy") or "ClusterFirst",
        dns_config=_dns_config(part(spec, "dnsConfig")),
    )


def _dns_config(given: Json) -> DnsConfig | None:
    if not given:
        return None
    options = ((text(each, "name"), text(each, "value")) for each in rows(given, "options"))
    return DnsConfig(
        servers=texts(given, "nameservers"), searches=texts(given, "searches"), options=tuple(options)
    )


def node_of(given: Json) -> Node:
    """A node."""
    meta, spec, status = part(given, "metadata"), part(given, "spec"), part(given, "status")
    order = {"InternalIP": 0, "ExternalIP": 1}
    listed = [each for each in rows(status, "addresses") if each.get("type") in order]
    listed.sort(key=lambda each: order[each["type"]])
    networks = spec.get("podCIDRs") or [spec.get("podCIDR")]
    return Node(
        name=text(meta, "name"),
        addresses=tuple(addresses(each.get("address") for each in listed)),
        pod_networks=tuple(_networks(networks)),
        zone=text(part(meta, "labels"), ZONE_LABEL),
        ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in rows(status, "conditions")),
        labels=pairs(meta.get("labels")),
        provider_id=text(spec, "providerID"),
    )


def namespace_of(given: Json) -> Namespace:
    """A namespace."""
    meta = part(given, "metadata")
    return Namespace(name=text(meta, "name"), labels=pairs(meta.get("labels")))


def daemonset_of(given: Json) -> DaemonSet:
    """A DaemonSet."""
    meta = part(given, "metadata")
    pod = part(part(part(given, "spec"), "template"), "spec")
    containers = rows(pod, "containers")
    return DaemonSet(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        images=tuple(text(each, "image") for each in containers),
        flags=tuple(str(flag) for each in containers for flag in each.get("args") or ()),
    )


def announcement_of(given: Json) -> Announcement:
    """A row of `announcements`, which sources/announcers.py makes of MetalLB's status objects."""
    ready = given.get("speakerReady")
    return Announcement(
        namespace=text(given, "namespace"),
        name=text(given, "name"),
        node=text(given, "node"),
        how="BGP" if text(given, "how") == "BGP" else "L2",
        peers=texts(given, "peers"),
        source=text(given, "source"),
        speaker=f"{text(given, 'home')}/{text(given, 'speaker')}",
        speaker_ready=ready if isinstance(ready, bool) else None,
    )


def target_group_of(given: Json) -> TargetGroup:
    """A TargetGroupBinding of the AWS Load Balancer Controller."""
    meta, spec = part(given, "metadata"), part(given, "spec")
    return TargetGroup(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        service=text(part(spec, "serviceRef"), "name"),
        target_type=text(spec, "targetType") or "instance",
    )


def _section(objects: Mapping[str, Iterable[Json]], kind: str, read: Callable[[Json], T]) -> Section[T]:
    """All objects of a kind, or why they are not here."""
    if kind in objects:
        return tuple(read(each) for each in objects[kind])
    return absent_of(objects).get(kind) or Absent(why=Why.NOT_ASKED, detail=f"{kind} were not recorded")


def _networks(listed: Iterable[Any]) -> Iterator[Network]:
    for each in listed:
        try:
            yield ip_network(str(each), strict=False)
        except ValueError:
            continue
