"""What a user may type for a target or a start, read against the objects of a cluster.

Kept apart from where objects come from, so the live API and a bundle refuse the same mistakes in the same words.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Protocol

from kubectl_packetpath.cluster.model import Cluster, Node, Pod, Service, ServicePort
from kubectl_packetpath.packet import Address

KINDS = {
    "svc": "service",
    "service": "service",
    "services": "service",
    "po": "pod",
    "pod": "pod",
    "pods": "pod",
    "no": "node",
    "node": "node",
    "nodes": "node",
}
WORKLOADS = {
    "cronjob": "CronJob",
    "daemonset": "DaemonSet",
    "deploy": "Deployment",
    "deployment": "Deployment",
    "ds": "DaemonSet",
    "job": "Job",
    "replicaset": "ReplicaSet",
    "rs": "ReplicaSet",
    "statefulset": "StatefulSet",
    "sts": "StatefulSet",
}
"""What makes pods, and may be meant by who knows an application by it."""
EXAMPLES = "svc/my-app, svc/my-app:http, pod/x:8080, node/n1:22, 10.0.0.1:80 or [fd00::1]:80"
MOST_PORT = 65535
MOST_SHOWN = 8


class AskError(Exception):
    """The question cannot be asked like this; says what to try instead."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class TargetKind(StrEnum):
    """What a packet can be sent to, or start from."""

    SERVICE = "service"
    POD = "pod"
    NODE = "node"
    ADDRESS = "address"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place by the name or address that the user typed."""

    kind: TargetKind
    namespace: str = ""
    name: str = ""
    port: str = ""
    """A number or a port's name; empty: not said."""
    address: Address | None = None

    def __str__(self) -> str:
        """As it could be typed."""
        port = f":{self.port}" if self.port else ""
        if self.address is not None and self.kind is TargetKind.ADDRESS:
            return f"[{self.address}]{port}" if self.address.version == 6 else f"{self.address}{port}"
        if self.kind is TargetKind.OUTSIDE:
            return f"outside:{self.address}" if self.address else "outside"
        short = "svc" if self.kind is TargetKind.SERVICE else self.kind.value
        return f"{short}/{self.name}{port}"


def parse_target(text: str, namespace: str) -> Target:
    """What a packet is sent to."""
    if (target := _parse_address(text)) is not None:
        return target
    target = _parse_named(text, namespace)
    if target.kind is TargetKind.NODE and not target.port:
        raise AskError(f"{text} needs a port.", f"kubectl packetpath {text}:PORT")
    return target


def parse_start(text: str, namespace: str) -> Target:
    """What a packet is sent by: `pod/x`, `node/x`, `outside` or `outside:IP`."""
    word, _, rest = text.partition(":")
    if word == TargetKind.OUTSIDE:
        if not rest:
            return Target(kind=TargetKind.OUTSIDE)
        address = _address(rest.strip("[]"))
        if address is None:
            raise AskError(f"{rest} is not an IP address.", "--from outside:203.0.113.7")
        return Target(kind=TargetKind.OUTSIDE, address=address)
    try:
        target = _parse_named(text, namespace)
    except AskError as error:
        raise AskError(f"{text} is no start of a packet.", "--from pod/x, node/x or outside[:IP]") from error
    if target.kind is TargetKind.SERVICE or target.port:
        raise AskError(f"A packet cannot start at {text}.", "--from pod/x, node/x or outside[:IP]")
    return target


def _parse_address(text: str) -> Target | None:
    bracketed = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::(\w+))?", text)
    plain = re.fullmatch(r"(\d+\.\d+\.\d+\.\d+)(?::(\w+))?", text)
    match = bracketed or plain
    if match is None:
        if _address(text) is not None:
            raise AskError(f"{text} needs brackets and a port.", f"kubectl packetpath '[{text}]:80'")
        return None
    address, port = _address(match[1]), match[2] or ""
    if address is None:
        raise AskError(f"{match[1]} is not an IP address.", f"for example {EXAMPLES}")
    if not _is_port(port):
        raise AskError(f"{text} needs a port between 1 and {MOST_PORT}.", f"kubectl packetpath {match[1]}:80")
    return Target(kind=TargetKind.ADDRESS, address=address, port=port)


def _parse_named(text: str, namespace: str) -> Target:
    kind, slash, rest = text.partition("/")
    if not slash and text.lower() in KINDS:
        raise AskError(
            f"{text} needs a name.", f"kubectl packetpath {text}/NAME; kubectl get {text} lists them"
        )
    if not slash:
        raise AskError(f"{text} has no kind.", f"{_with_kind(text)}    (or {EXAMPLES})")
    if "://" in text:
        raise AskError(f"{text} is no URL of HTTP.", "kubectl packetpath https://shop.example.com/cart")
    if kind.lower() in WORKLOADS:
        raise AskError(
            f"A {WORKLOADS[kind.lower()]} takes no packets: its Service does, and each of its pods.",
            "kubectl packetpath svc/NAME or pod/NAME",
        )
    if kind.lower() not in KINDS and "." in kind:
        raise AskError(
            f"{text} looks like a URL without its beginning.", f"kubectl packetpath https://{text}"
        )
    if kind.lower() not in KINDS:
        raise AskError(f"Paths to {kind}/… are not known.", f"for example {EXAMPLES}")
    name, _, port = rest.partition(":")
    if "/" in name:
        namespace, _, name = name.partition("/")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
        raise AskError(f"{name!r} is not a name that Kubernetes allows.", f"for example {EXAMPLES}")
    if port.isdigit() and not _is_port(port):
        raise AskError(
            f"{port} is not a port between 1 and {MOST_PORT}.", f"kubectl packetpath {kind}/{name}:80"
        )
    return Target(kind=TargetKind(KINDS[kind.lower()]), namespace=namespace, name=name, port=port)


def _with_kind(text: str) -> str:
    """A word with a dot is a name of the cluster's DNS, of which the port comes last too."""
    return f"kubectl packetpath http://{text}" if "." in text else f"kubectl packetpath svc/{text}"


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_port(text: str) -> bool:
    return text.isdigit() and 0 < int(text) <= MOST_PORT


def find_service(cluster: Cluster, target: Target) -> Service:
    """The Service, or what it may have been meant to be."""
    found = cluster.service(target.namespace, target.name)
    if found is not None:
        return found
    raise AskError(
        f"There is no Service {target.name} in namespace {target.namespace}.",
        similar(target, ((s.namespace, s.name) for s in cluster.services), "svc", cluster),
    )


def find_pod(cluster: Cluster, target: Target) -> Pod:
    """The pod, or what it may have been meant to be."""
    found = cluster.pod(target.namespace, target.name)
    if found is None:
        raise AskError(
            f"There is no pod {target.name} in namespace {target.namespace}.",
            similar(target, ((p.namespace, p.name) for p in cluster.pods), "pod", cluster),
        )
    if not found.addresses or not found.node:
        raise AskError(
            f"Pod {found.full_name} is {found.phase or 'not running'} and has no address yet.",
            f"kubectl -n {found.namespace} describe pod {found.name}",
        )
    return found


def find_node(cluster: Cluster, name: str) -> Node:
    """The node, or which ones there are."""
    found = cluster.node(name)
    if found is None:
        names = [n.name for n in cluster.nodes]
        near = sorted(difflib.get_close_matches(name, names, n=3)) or names[:5]
        raise AskError(f"There is no node {name}.", f"nodes: {', '.join(near)}" if near else "")
    return found


class Named(Protocol):
    """What has a namespace and a name: a target, a wish."""

    @property
    def namespace(self) -> str:
        """Where it was looked for."""

    @property
    def name(self) -> str:
        """As it was typed."""


def similar(missed: Named, names: Iterable[tuple[str, str]], kind: str, cluster: Cluster) -> str:
    """What may have been meant by a name that is not there, or where to look it up."""
    known = sorted(set(names))
    elsewhere = [namespace for namespace, name in known if name == missed.name]
    if elsewhere:
        return f"kubectl packetpath {kind}/{missed.name} -n {elsewhere[0]}"
    first, _, rest = missed.name.partition(".")
    if (home := rest.partition(".")[0]) and (home, first) in known:
        return f"kubectl packetpath {kind}/{first} -n {home}"
    here = [name for namespace, name in known if namespace == missed.namespace]
    longer = [name for name in here if name.startswith(missed.name)]
    near = (longer or difflib.get_close_matches(missed.name, here, n=3, cutoff=0.5))[:3]
    if near:
        return "did you mean " + " or ".join(f"{kind}/{name}" for name in near) + "?"
    if cluster.recorded:
        known.sort(key=lambda each: each[0] != missed.namespace)
        shown = ", ".join(f"{kind}/{namespace}/{name}" for namespace, name in known[:MOST_SHOWN])
        more = f" and {len(known) - MOST_SHOWN} more" if len(known) > MOST_SHOWN else ""
        return f"the recording has {shown}{more}" if known else "the recording has none at all"
    return f"kubectl -n {missed.namespace} get {kind}" if here else f"kubectl get {kind} -A"


def service_ports(service: Service, target: Target, protocol: str) -> tuple[ServicePort, ...]:
    """The ports that are asked about: all, or the one with that number or name, of that protocol."""
    wanted = [p for p in service.ports if not protocol or p.protocol == protocol.upper()]
    if target.port:
        wanted = [p for p in wanted if target.port in {p.name, str(p.port)}]
    if wanted or not (service.ports or target.port):
        return tuple(wanted)
    offered = ", ".join(p.title for p in service.ports) or "none"
    asked = target.port or protocol.upper()
    raise AskError(f"Service {service.full_name} has no port {asked}.", f"it offers: {offered}")


def pod_port(pod: Pod, target: Target, protocol: str) -> tuple[int, str]:
    """The port and protocol of a pod that is asked about."""
    declared = [p for p in pod.ports if not protocol or p.protocol == protocol.upper()]
    if target.port.isdigit():
        return int(target.port), protocol.upper() or "TCP"
    if target.port:
        declared = [p for p in declared if p.name == target.port]
    if len(declared) == 1:
        return declared[0].port, declared[0].protocol
    listed = ", ".join(f"{p.name or p.port}" for p in pod.ports) or "none"
    problem = "has no port" if target.port else "needs a port: it is not clear which of"
    raise AskError(
        f"Pod {pod.full_name} {problem} {target.port or 'its ports is meant'} (declared: {listed}).",
        f"kubectl packetpath pod/{pod.name}:8080 -n {pod.namespace}",
    )
