"""Whether the hosts of a proxy's cluster are the ready endpoints of the Service, and healthy by the proxy's own word."""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.live.drift import Drift, Parting
from kubectl_packetpath.cluster.http.live.model import Loaded, LoadedCluster, LoadedRoute, Member
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.cluster.model import Cluster, Service, ServicePort
from kubectl_packetpath.cluster.published import expected_endpoints
from kubectl_packetpath.packet import Address
from kubectl_packetpath.trace import Fact

Place = tuple[Address, int]
MOST_NAMED = 4


def source_of(service: Service, port: ServicePort) -> str:
    """Under which name Contour's clusters look up the endpoints of a Service's port."""
    return "/".join(each for each in (service.namespace, service.name, port.name) if each)


def of_control(plan: Plan) -> Iterator[str]:
    """How to look at the program that configures the proxies."""
    for pod in plan.entrance.pods[:1]:
        for key, value in plan.controller.control[:1]:
            yield f"kubectl -n {pod.namespace} get pods -l {key}={value}"


def of_hosts(
    plan: Plan, cluster: Cluster, loaded: Loaded, route: LoadedRoute, behind: tuple[Service, ServicePort]
) -> Iterator[Drift]:
    """The differences in one backend's hosts."""
    service, port = behind
    source = source_of(service, port)
    names = {name for name, weight in route.clusters if weight}
    own = [each for each in loaded.clusters if each.name in names and each.source == source]
    for each in own:
        yield from _of_cluster(plan, cluster, each, behind)


def _of_cluster(
    plan: Plan, cluster: Cluster, loads: LoadedCluster, behind: tuple[Service, ServicePort]
) -> Iterator[Drift]:
    service, port = behind
    ready = {
        (each.address, each.port): each.pod
        for version in (4, 6)
        for each in expected_endpoints(cluster, service, port, version)
    }
    first = next((address.version for address in service.cluster_ips), None)
    versions = {first} & {address.version for address, _ in ready} or {a.version for a, _ in ready}
    there = {(each.address, each.port): each for each in loads.members}
    stale = [each for place, each in there.items() if place not in ready]
    lacking = [place for place in ready if place not in there and place[0].version in versions]
    remedy = (
        f"kubectl -n {service.namespace} get endpointslices -l kubernetes.io/service-name={service.name}",
        *of_control(plan),
    )
    if stale or lacking:
        yield Drift(
            parting=Parting.OTHER_ENDPOINTS,
            message=_differences(cluster, service, stale, lacking),
            evidence=tuple(_facts(loads)),
            family="lost" if not there else "unknown" if stale else "",
            remedy=remedy,
        )
    avoided = [each for place, each in there.items() if place in ready and each.flags]
    if avoided:
        yield Drift(
            parting=Parting.AVOIDED,
            message="its Envoy sends nothing to "
            + _places(cluster, [(each.address, each.port) for each in avoided])
            + f", ready by the word of the API: {', '.join(dict.fromkeys(f for a in avoided for f in a.flags))}",
            evidence=tuple(_facts(loads)),
            family="unknown" if len(avoided) == len(there) else "",
            remedy=remedy,
        )


def _differences(cluster: Cluster, service: Service, stale: list[Member], lacking: list[Place]) -> str:
    told = []
    if stale:
        places = _places(cluster, [(each.address, each.port) for each in stale])
        told.append(f"still sends to {places}, which is no ready endpoint of Service {service.full_name}")
    if lacking:
        told.append(
            f"does not know {_places(cluster, lacking)}, a ready endpoint of Service {service.full_name}"
        )
    return f"its Envoy {', and '.join(told)}"


def _places(cluster: Cluster, places: list[Place]) -> str:
    told = []
    for address, port in places[:MOST_NAMED]:
        pod = cluster.pod_with(address)
        text = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
        told.append(f"{text} ({pod.full_name})" if pod is not None else text)
    more = len(places) - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def _facts(loads: LoadedCluster) -> Iterator[Fact]:
    if not loads.members:
        yield Fact(section="envoy", key=f"/clusters {loads.name}", text="no hosts")
    for each in loads.members[:MOST_NAMED]:
        text = f"{each.address}:{each.port} {', '.join(each.flags) or 'healthy'}"
        yield Fact(section="envoy", key=f"/clusters {loads.name}", text=text)
