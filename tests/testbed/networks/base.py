"""What a pod network has to say for itself, and what several of them share."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from testbed.addresses import AddressPlan
from testbed.spec import NodeSpec

CNI_VERSION = "1.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDaemon:
    """A program that a pod network runs on every node."""

    name: str
    command: tuple[str, ...]
    files: Mapping[Path, Mapping[str, Any] | str]
    """What it reads: text as it is, all else as JSON."""
    signs: tuple[Path, ...] = ()
    """Files that are there when pods can be plugged in."""

    def write_files(self) -> None:
        """What it reads."""
        for path, content in self.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlace:
    """A node, as a pod network sees it."""

    plan: AddressPlan
    node: NodeSpec
    folder: Path
    """Files of the node's own."""
    kubeconfig: Path
    """With the rights of the cluster's administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One iptables rule, at the end of its chain; the chain is made when it is missing."""

    version: int
    table: str
    chain: str
    words: tuple[str, ...]

    def commands(self) -> str:
        """Shell lines that leave exactly one such rule, however often they run."""
        program = "iptables" if self.version == 4 else "ip6tables"
        call = [program, "-w", "-t", self.table]
        new, check, append = (shlex.join([*call, flag, self.chain]) for flag in ("-N", "-C", "-A"))
        words = shlex.join(self.words)
        return f"{new} 2>/dev/null || true\n{check} {words} 2>/dev/null || {append} {words}\n"


class PodNetwork(Protocol):
    """How pods get addresses, and how packets get from pod to pod."""

    @property
    def name(self) -> str:
        """As a description names it."""

    @property
    def program_sets(self) -> tuple[str, ...]:
        """Which sets of programs it needs, besides the CNI plugins."""

    @property
    def crosses_subnets(self) -> bool:
        """Whether it reaches pods beyond a router."""

    @property
    def link_kind(self) -> str | None:
        """The kind of its devices, where not every kernel can make them."""

    def cni_config(self, place: NodePlace) -> dict[str, Any]:
        """The list of CNI plugins that the node's container runtime calls."""

    def routes(self, place: NodePlace) -> Sequence[str]:
        """Routes that the node needs, as `ip route replace` takes them (with -4 or -6 in front)."""

    def router_routes(self, plan: AddressPlan) -> Sequence[str]:
        """Routes that the router between the subnets needs: `ip` commands."""

    def rules(self, place: NodePlace) -> Sequence["Rule"]:
        """Firewall rules that the node needs."""

    def daemon(self, place: NodePlace) -> NetworkDaemon | None:
        """What runs on every node, or None."""

    def manifests(self, plan: AddressPlan) -> Iterable[Mapping[str, Any]]:
        """Kubernetes objects that must be there before its daemons start."""


@runtime_checkable
class RunsOnRouter(Protocol):
    """A pod network that has a program on the router, too."""

    def router_daemon(self, plan: AddressPlan, folder: Path) -> NetworkDaemon:
        """What runs there, with its files in this folder."""


def host_local(place: NodePlace) -> dict[str, Any]:
    """The address management of all networks here: a node hands out its own range."""
    versions = place.plan.versions
    return {
        "type": "host-local",
        "ranges": [[{"subnet": str(place.plan.pods_of(place.node, version))}] for version in versions],
        "routes": [{"dst": "0.0.0.0/0" if version == 4 else "::/0"} for version in versions],
    }


def config_list(name: str, *plugins: dict[str, Any]) -> dict[str, Any]:
    """A CNI configuration; portmap makes hostPort work on all of them."""
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": CNI_VERSION, "name": name, "plugins": [*plugins, portmap]}


def routes_to_other_nodes(place: NodePlace) -> list[str]:
    """A route to the pods of every other node, by way of that node, or of the router when it is on the other subnet."""
    routes = []
    for other in place.plan.spec.nodes:
        if other == place.node:
            continue
        for version in place.plan.versions:
            way = place.plan.node(other, version)
            if other.subnet != place.node.subnet:
                way = place.plan.lan(place.node.subnet, version)[1]
            routes.append(f"-{version} route replace {place.plan.pods_of(other, version)} via {way} dev eth0")
    return routes


def routes_on_router(plan: AddressPlan) -> list[str]:
    """Where each node's pods are, for networks whose packets cross the router with the pods' own addresses."""
    if len(plan.spec.subnets) == 1:
        return []
    return [
        f"route replace {plan.pods_of(node, version)} via {plan.node(node, version)}"
        for node in plan.spec.nodes
        for version in plan.versions
    ]


def masquerade_outside(place: NodePlace) -> list[Rule]:
    """What leaves the cluster leaves with the node's address; the shape of kindnet's rules."""
    chain = "KIND-MASQ-AGENT"
    comment = ["-m", "comment", "--comment"]
    directs = [*comment, "kind-masq-agent: ensure nat POSTROUTING directs all non-LOCAL traffic to our chain"]
    local = [*comment, "kind-masq-agent: local traffic is not subject to MASQUERADE"]
    final = [*comment, "kind-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)"]
    rules = []
    for version in place.plan.versions:
        pods = str(place.plan.pods(version))
        bodies = (
            (chain, ("-d", pods, *local, "-j", "RETURN")),
            (chain, (*final, "-j", "MASQUERADE")),
            ("POSTROUTING", ("-m", "addrtype", "!", "--dst-type", "LOCAL", *directs, "-j", chain)),
        )
        rules += [Rule(version=version, table="nat", chain=name, words=words) for name, words in bodies]
    return rules
