"""The cluster's objects, read from its API server: only those that a question touches, never a Secret.

What is kept of an object is a short list of fields, so neither environment variables nor annotations of other
people's pods end up in a bundle.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from kubectl_packetpath.cluster.announcing import KNOWN_ANNOTATIONS as OF_BALANCERS
from kubectl_packetpath.cluster.ask import Target, TargetKind
from kubectl_packetpath.cluster.clouds import ANNOTATIONS as OF_CLOUDS
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.objects import cluster_of
from kubectl_packetpath.sources.announcers import read_announcements
from kubectl_packetpath.sources.api import FORBIDDEN, NOT_FOUND, Api, ApiError
from kubectl_packetpath.sources.policies import Policed
from kubectl_packetpath.sources.targets import read_targets
from kubectl_packetpath.sources.web import KNOWN_ANNOTATIONS, WebReader

Objects = dict[str, list[dict[str, Any]]]

SLICES = "/apis/discovery.k8s.io/v1"
KEPT: Mapping[str, Any] = {
    "services": {
        "metadata": {
            "name": 1,
            "namespace": 1,
            "annotations": dict.fromkeys((*KNOWN_ANNOTATIONS, *OF_BALANCERS, *OF_CLOUDS), 1),
            "finalizers": 1,
        },
        "spec": {
            "type": 1,
            "clusterIP": 1,
            "clusterIPs": 1,
            "ports": 1,
            "selector": 1,
            "externalName": 1,
            "externalIPs": 1,
            "externalTrafficPolicy": 1,
            "internalTrafficPolicy": 1,
            "sessionAffinity": 1,
            "sessionAffinityConfig": 1,
            "loadBalancerClass": 1,
            "loadBalancerSourceRanges": 1,
            "healthCheckNodePort": 1,
            "publishNotReadyAddresses": 1,
            "trafficDistribution": 1,
            "ipFamilies": 1,
        },
        "status": {"loadBalancer": 1},
    },
    "endpointslices": {
        "metadata": {
            "name": 1,
            "namespace": 1,
            "labels": {"kubernetes.io/service-name": 1},
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": 1},
        },
        "addressType": 1,
        "ports": 1,
        "endpoints": 1,
    },
    "pods": {
        "metadata": {"name": 1, "namespace": 1, "uid": 1, "labels": 1},
        "spec": {
            "nodeName": 1,
            "hostNetwork": 1,
            "dnsPolicy": 1,
            "dnsConfig": 1,
            "containers": {"name": 1, "ports": 1},
            "initContainers": {"name": 1, "ports": 1},
        },
        "status": {"phase": 1, "podIP": 1, "podIPs": 1, "conditions": {"type": 1, "status": 1}},
    },
    "nodes": {
        "metadata": {"name": 1, "labels": 1},
        "spec": {"podCIDR": 1, "podCIDRs": 1, "unschedulable": 1, "providerID": 1},
        "status": {"addresses": 1, "conditions": {"type": 1, "status": 1}},
    },
}
"""The fields of each kind that are looked at; nothing else of an object is kept."""


def trimmed(given: Any, kept: Any) -> Any:
    """Only the wanted fields of an object; a name that ends with `*` stands for all that begin so."""
    if not isinstance(kept, Mapping):
        return given
    if isinstance(given, list):
        return [trimmed(each, kept) for each in given]
    if not isinstance(given, Mapping):
        return given
    found = {key: trimmed(given[key], part) for key, part in kept.items() if key in given}
    for begin in (key.removesuffix("*") for key in kept if key.endswith("*")):
        found |= {key: each for key, each in given.items() if key.startswith(begin)}
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A list to read."""

    kind: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    instead: str = ""
    """Read this where the first is forbidden: one namespace where all were wanted."""


NODES = Wanted(kind="nodes", path="/api/v1/nodes")


def pods_of_node(name: str) -> Wanted:
    """The pods that run on one node."""
    return Wanted(kind="pods", path="/api/v1/pods", query={"fieldSelector": f"spec.nodeName={name}"})


def read_for(api: Api, target: Target, start: Target | None) -> Cluster:
    """What a question about this target needs: it, its endpoints, the nodes and possible clients."""
    needed = [_services(api, target), NODES, *_slices(target)]
    if start is None or target.kind is TargetKind.ADDRESS:
        own = f"/api/v1/namespaces/{target.namespace or api.namespace}/pods"
        needed.append(Wanted(kind="pods", path="/api/v1/pods", instead=own))
    else:
        namespaces = {api.namespace, target.namespace, start.namespace} - {""}
        needed += [Wanted(kind="pods", path=f"/api/v1/namespaces/{each}/pods") for each in sorted(namespaces)]
    homes = {api.namespace, target.namespace, start.namespace if start is not None else ""} - {""}
    objects = _with_policies(api, needed, tuple(sorted(homes)))
    return cluster_of(objects, context=api.context, namespace=api.namespace)


def read_for_services(api: Api, namespace: str) -> Cluster:
    """What an overview of a namespace's Services needs, or of all of them where the namespace is empty."""
    own = f"/api/v1/namespaces/{namespace or api.namespace}"
    home = f"/namespaces/{namespace}" if namespace else ""
    needed = [
        NODES,
        Wanted(kind="services", path=f"/api/v1{home}/services"),
        Wanted(kind="endpointslices", path=f"{SLICES}{home}/endpointslices"),
        Wanted(kind="pods", path="/api/v1/pods", instead=f"{own}/pods"),
    ]
    objects = _with_policies(api, needed, (namespace or api.namespace,))
    return cluster_of(objects, context=api.context, namespace=namespace or api.namespace)


def read_for_requests(api: Api, namespaces: Iterable[str]) -> Cluster:
    """What a question about an HTTP request needs: all that may take it, and all that may stand behind."""
    homes = tuple(dict.fromkeys((*namespaces, api.namespace)))
    own = f"/api/v1/namespaces/{homes[0]}"
    needed = [
        NODES,
        Wanted(kind="services", path="/api/v1/services", instead=f"{own}/services"),
        Wanted(kind="pods", path="/api/v1/pods", instead=f"{own}/pods"),
        Wanted(
            kind="endpointslices",
            path=f"{SLICES}/endpointslices",
            instead=f"{SLICES}/namespaces/{homes[0]}/endpointslices",
        ),
    ]
    with ThreadPoolExecutor(max_workers=1) as pool:
        web = pool.submit(WebReader(api=api, namespaces=homes).read)
        objects = with_both(_with_policies(api, needed, homes), web.result())
    return cluster_of(objects, context=api.context, namespace=api.namespace)


def with_both(one: Objects, other: Objects) -> Objects:
    """Objects of two readers; the rows of what neither could read are put together."""
    absent = [*one.get("absent", ()), *other.get("absent", ())]
    return one | other | ({"absent": absent} if absent else {})


def _services(api: Api, target: Target) -> Wanted:
    """All Services of the namespace, since a mistyped name wants a suggestion; all, for a bare address."""
    if target.kind is TargetKind.SERVICE:
        namespace = target.namespace or api.namespace
        return Wanted(kind="services", path=f"/api/v1/namespaces/{namespace}/services")
    own = f"/api/v1/namespaces/{api.namespace}/services"
    return Wanted(kind="services", path="/api/v1/services", instead=own)


def _slices(target: Target) -> Iterator[Wanted]:
    if target.kind is TargetKind.SERVICE:
        label = {"labelSelector": f"kubernetes.io/service-name={target.name}"}
        path = f"{SLICES}/namespaces/{target.namespace}/endpointslices"
        yield Wanted(kind="endpointslices", path=path, query=label)
    elif target.kind is TargetKind.ADDRESS:
        own = f"{SLICES}/namespaces/{target.namespace or 'default'}/endpointslices"
        yield Wanted(kind="endpointslices", path=f"{SLICES}/endpointslices", instead=own)


def read_all(api: Api) -> Objects:
    """All objects of these kinds that the cluster has: for a bundle."""
    kinds = {"services": "/api/v1", "pods": "/api/v1", "nodes": "/api/v1", "endpointslices": SLICES}
    needed = [Wanted(kind=kind, path=f"{root}/{kind}") for kind, root in kinds.items()]
    web = WebReader(api=api, namespaces=(api.namespace,)).read()
    return with_both(_with_policies(api, needed, (api.namespace,)), web)


def _with_policies(api: Api, needed: Iterable[Wanted], namespaces: tuple[str, ...]) -> Objects:
    """These lists, the policies, and who announces load balancers' addresses, all at once."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        targets = pool.submit(read_targets, api)
        policed = pool.submit(Policed(api=api, namespaces=namespaces).read)
        announced = pool.submit(read_announcements, api)
        found = with_both(read_objects(api, needed) | policed.result(), announced.result())
        return with_both(found, targets.result())


def read_objects(api: Api, needed: Iterable[Wanted]) -> Objects:
    """These lists, all at once."""
    listed = list(needed)
    objects: Objects = {}
    with ThreadPoolExecutor(max_workers=len(listed)) as pool:
        for wanted, found in zip(listed, pool.map(lambda each: _read(api, each), listed), strict=True):
            known = {_name(each) for each in objects.setdefault(wanted.kind, [])}
            objects[wanted.kind] += [each for each in found if _name(each) not in known]
    return objects


def _name(given: Mapping[str, Any]) -> tuple[Any, Any]:
    meta = given.get("metadata") or {}
    return meta.get("namespace"), meta.get("name")


def _read(api: Api, wanted: Wanted) -> list[dict[str, Any]]:
    try:
        return [trimmed(each, KEPT[wanted.kind]) for each in api.list(wanted.path, **wanted.query)]
    except ApiError as error:
        if error.status == NOT_FOUND:
            return []
        if error.status == FORBIDDEN and wanted.instead:
            return _read(api, replace(wanted, path=wanted.instead, instead=""))
        raise
