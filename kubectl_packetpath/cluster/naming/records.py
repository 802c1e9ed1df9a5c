"""What the cluster's DNS answers, by the objects of the API.

Kubernetes: https://github.com/kubernetes/dns/blob/master/docs/specification.md; where the specification is silent,
as CoreDNS does it (plugin/kubernetes).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from kubectl_packetpath.cluster.model import Cluster, Endpoint, EndpointPort, Service
from kubectl_packetpath.cluster.naming.pods import ZONE
from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent


class Code(StrEnum):
    """How a question ends."""

    FOUND = "NOERROR"
    NO_DATA = "NODATA"
    """The name exists, without a record of this type."""
    NO_NAME = "NXDOMAIN"
    FORWARDED = "forwarded"
    """It is no name of the cluster: other servers are asked, whose answer is not seen here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What an SRV record names."""

    port: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one name."""

    name: str
    code: Code
    why: str
    addresses: tuple[Address, ...] = ()
    """For A and AAAA."""
    alias: str = ""
    """For CNAME."""
    ports: tuple[Port, ...] = ()
    """For SRV."""
    service: Service | None = None

    def code_of(self, version: int) -> Code:
        """As a question for addresses of one IP version ends."""
        if self.code is Code.FOUND and not self.alias:
            return Code.FOUND if any(each.version == version for each in self.addresses) else Code.NO_DATA
        return self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A name of a Service taken apart."""

    name: str
    service: Service
    endpoint: str = ""
    port: str = ""
    protocol: str = ""


def answer(name: str, cluster: Cluster, zone: str = ZONE) -> Answer:
    """What the cluster's DNS says of a full name."""
    name = name.lower().rstrip(".")
    if name != zone and not name.endswith(f".{zone}"):
        return Answer(
            name=name, code=Code.FORWARDED, why=f"it is not below {zone}, so other servers are asked"
        )
    labels = name.removesuffix(zone).rstrip(".").split(".") if name != zone else []
    if not labels or labels in (["svc"], ["pod"]):
        return Answer(name=name, code=Code.NO_DATA, why="it exists, and has no address")
    *front, kind = labels
    if kind not in {"svc", "pod"}:
        return _no_name(name, f"names of the cluster end with svc.{zone} or pod.{zone}")
    *front, namespace = front
    if not _exists(cluster, namespace):
        return _no_name(name, f"there is no namespace {namespace}")
    if not front:
        return Answer(name=name, code=Code.NO_DATA, why=f"namespace {namespace} has no address")
    return _of_pod(name, front) if kind == "pod" else _of_service(name, namespace, front, cluster)


def _no_name(name: str, why: str) -> Answer:
    return Answer(name=name, code=Code.NO_NAME, why=why)


def _exists(cluster: Cluster, namespace: str) -> bool:
    """By the namespaces themselves, or else as far as the objects that were read show."""
    if not isinstance(cluster.namespaces, Absent):
        return any(each.name == namespace for each in cluster.namespaces)
    known = {each.namespace for each in cluster.services} | {each.namespace for each in cluster.pods}
    return namespace in known | {"default", "kube-system"}


def _of_pod(name: str, front: list[str]) -> Answer:
    dashed = front[-1]
    text = dashed.replace("-", "." if dashed.count("-") == 3 and "--" not in dashed else ":")
    try:
        address = ip_address(text)
    except ValueError:
        return _no_name(name, f"{dashed} is no address written with dashes")
    if len(front) > 1:
        return _no_name(name, "names of pods have no parts before the address")
    why = "the address in the name itself; whether a pod has it is not looked at (CoreDNS: pods insecure)"
    return Answer(name=name, code=Code.FOUND, why=why, addresses=(address,))


def _of_service(name: str, namespace: str, front: list[str], cluster: Cluster) -> Answer:
    *before, short = front
    service = cluster.service(namespace, short)
    if service is None:
        return _no_name(name, f"there is no Service {short} in namespace {namespace}")
    if len(before) > 2:
        return _no_name(name, "it has too many parts")
    asked = _Asked(name=name, service=service)
    if len(before) == 1:
        asked = _Asked(name=name, service=service, endpoint=before[0])
    elif before:
        port, protocol = (each.removeprefix("_") for each in before)
        asked = _Asked(name=name, service=service, port=port, protocol=protocol)
    if service.type == "ExternalName":
        return _external(asked)
    if service.headless or asked.endpoint:
        return _endpoints(asked, cluster)
    return _cluster_ip(asked)


def _external(asked: _Asked) -> Answer:
    service = asked.service
    if asked.endpoint or asked.port:
        return _no_name(asked.name, f"Service {service.full_name} is an ExternalName, with no endpoints")
    why = f"Service {service.full_name} is an ExternalName"
    alias = service.external_name.rstrip(".").lower()
    try:
        ip_address(alias)
    except ValueError:
        return Answer(name=asked.name, code=Code.FOUND, why=why, alias=alias, service=service)
    return _no_name(asked.name, f"{why}, and {alias} is an address: DNS takes it for no name")


def _cluster_ip(asked: _Asked) -> Answer:
    service = asked.service
    ports = [p for p in service.ports if _named(asked, p.name, p.protocol)]
    if not ports:
        return _no_name(asked.name, f"Service {service.full_name} has no port {asked.port}/{asked.protocol}")
    target = asked.name.split(".", 2)[2] if asked.port else asked.name
    return Answer(
        name=asked.name,
        code=Code.FOUND,
        why=f"the ClusterIP of Service {service.full_name}",
        addresses=service.cluster_ips,
        ports=tuple(Port(port=each.port, target=target) for each in ports),
        service=service,
    )


def _named(asked: _Asked, name: str, protocol: str) -> bool:
    return (not asked.port or asked.port == name.lower()) and (
        not asked.protocol or asked.protocol == protocol.lower()
    )


def _endpoints(asked: _Asked, cluster: Cluster) -> Answer:
    service = asked.service
    base = (
        asked.name.split(".", 2)[2]
        if asked.port
        else asked.name.partition(".")[2]
        if asked.endpoint
        else asked.name
    )
    found = [
        (address, hostname, port)
        for address, hostname, port in _entries(service, cluster)
        if _named(asked, port.name, port.protocol) and asked.endpoint in {"", hostname}
    ]
    if not found:
        wanted = f" named {asked.endpoint}" if asked.endpoint else ""
        why = f"Service {service.full_name} has no ready endpoint{wanted}"
        return _no_name(asked.name, why + (f" with port {asked.port}/{asked.protocol}" if asked.port else ""))
    kind = "endpoint" if asked.endpoint else "ready endpoints of the headless Service"
    ports = (
        Port(port=port.port, target=asked.name if asked.endpoint else f"{hostname}.{base}")
        for _, hostname, port in found
        if port.port is not None
    )
    return Answer(
        name=asked.name,
        code=Code.FOUND,
        why=f"the {kind} {service.full_name}"
        if not asked.endpoint
        else f"an endpoint of {service.full_name}",
        addresses=tuple(dict.fromkeys(address for address, _, _ in found)),
        ports=tuple(dict.fromkeys(ports)),
        service=service,
    )


def _entries(service: Service, cluster: Cluster) -> Iterator[tuple[Address, str, EndpointPort]]:
    for part in cluster.slices_of(service):
        for each in part.endpoints:
            if each.ready:
                for address in each.addresses:
                    for port in part.ports or (EndpointPort(),):
                        yield address, hostname_of(each, address), port


def hostname_of(endpoint: Endpoint, address: Address) -> str:
    """The first label of an endpoint's own name: its hostname, else its address with dashes."""
    if endpoint.hostname:
        return endpoint.hostname.lower()
    dashed = str(address).replace(".", "-").replace(":", "-")
    return f"{dashed}0" if dashed.endswith("-") else dashed
