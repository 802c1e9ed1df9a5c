"""Who enforces policies here, with the evidence; or that nobody does.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/network-policies/#prerequisites ("creating a
NetworkPolicy resource without a controller that implements it will have no effect")
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubectl_packetpath.cluster.model import DaemonSet
from kubectl_packetpath.cluster.policy.enforcers import ENFORCERS, WITHOUT_POLICIES, Enforcer
from kubectl_packetpath.snapshot.absent import Absent, Section
from kubectl_packetpath.snapshot.cni import CniConfiguration


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSigns:
    """What a node shows of the programs on it, as far as it was looked at."""

    node: str
    tables: frozenset[str] = frozenset()
    """Names of nftables tables."""
    devices: frozenset[str] = frozenset()
    chains: frozenset[str] = frozenset()
    """Names of chains that packets went through."""
    cni: tuple[str, ...] = ()
    """Types of the plugins in the CNI configuration that is in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An enforcer that is here."""

    enforcer: Enforcer
    evidence: tuple[str, ...]
    """One phrase each: `DaemonSet kube-system/calico-node`, `chain cali-FORWARD on node1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcement:
    """Who enforces policies in a cluster."""

    found: tuple[Found, ...] = ()
    networks: tuple[str, ...] = ()
    """What lays the pods' network and enforces nothing: `flannel`."""
    unseen: str = ""
    """What could not be looked at; empty: enough was, to say that there is nobody else."""

    @property
    def visible(self) -> tuple[Found, ...]:
        """Those whose rules a walk follows."""
        return tuple(each for each in self.found if each.enforcer.visible)

    @property
    def hidden(self) -> tuple[Found, ...]:
        """Those that enforce where a walk sees nothing."""
        return tuple(each for each in self.found if not each.enforcer.visible)

    @property
    def words(self) -> str:
        """`enforced by Calico`, or that nothing does, for a short line."""
        if self.found:
            return "enforced by " + " and ".join(each.enforcer.name for each in self.found)
        if self.unseen:
            return f"no enforcer was seen, but {self.unseen}"
        if self.networks:
            verb = "does" if len(self.networks) == 1 else "do"
            return f"nothing here enforces it ({' and '.join(self.networks)} {verb} not)"
        return "nothing here enforces it"


def owner_of(chain: str) -> str:
    """The enforcer whose chain or table this is, by its name."""
    for each in ENFORCERS:
        if chain.startswith(each.chains) or chain in each.tables:
            return each.name
    return ""


def enforcement(daemonsets: Section[DaemonSet], nodes: Iterable[NodeSigns]) -> Enforcement:
    """All enforcers that leave a mark in the API or on a node that was looked at."""
    signs = tuple(nodes)
    found = tuple(
        Found(enforcer=each, evidence=evidence)
        for each in ENFORCERS
        if (evidence := tuple(dict.fromkeys((*_in_api(each, daemonsets), *_on_nodes(each, signs)))))
    )
    types = dict.fromkeys(kind for node in signs for kind in node.cni)
    networks = tuple(WITHOUT_POLICIES[kind] for kind in types if kind in WITHOUT_POLICIES)
    return Enforcement(found=_without_shadows(found), networks=networks, unseen=_unseen(daemonsets, signs))


def _in_api(enforcer: Enforcer, daemonsets: Section[DaemonSet]) -> Iterator[str]:
    for each in () if isinstance(daemonsets, Absent) else daemonsets:
        ours = [image for image in each.images if any(part in image for part in enforcer.images)]
        if ours and _is_on(enforcer, each.flags):
            yield f"DaemonSet {each.namespace}/{each.name}"


def _is_on(enforcer: Enforcer, flags: tuple[str, ...]) -> bool:
    if enforcer.flag.endswith("!"):
        return enforcer.flag.removesuffix("!") not in flags
    return not enforcer.flag or enforcer.flag in flags


def _on_nodes(enforcer: Enforcer, nodes: tuple[NodeSigns, ...]) -> Iterator[str]:
    for node in nodes:
        marks = (
            ("chain", sorted(chain for chain in node.chains if chain.startswith(enforcer.chains or ("\0",)))),
            ("table", sorted(node.tables & set(enforcer.tables))),
            ("device", sorted(node.devices & set(enforcer.devices))),
            ("CNI type", [kind for kind in node.cni if kind in enforcer.cni]),
        )
        for word, names in marks:
            if names:
                yield f"{word} {names[0]} on {node.node}"
                break


def _without_shadows(found: tuple[Found, ...]) -> tuple[Found, ...]:
    """Calico's BPF programs take the place of its chains."""
    names = {each.enforcer.name for each in found}
    return tuple(each for each in found if not (each.enforcer.name == "Calico" and "Calico eBPF" in names))


def _unseen(daemonsets: Section[DaemonSet], nodes: tuple[NodeSigns, ...]) -> str:
    missing = []
    if isinstance(daemonsets, Absent):
        missing.append(f"DaemonSets were not read ({daemonsets.detail or daemonsets.why})")
    if not nodes:
        missing.append("no node was looked at")
    return " and ".join(missing)


def cni_types(files: Section[CniConfiguration]) -> tuple[str, ...]:
    """The types of the plugins in the configuration that the runtime uses: the first file by name."""
    for each in () if isinstance(files, Absent) else sorted(files, key=lambda file: file.file):
        try:
            read = json.loads(each.text)
        except ValueError:
            continue
        if isinstance(read, dict):
            plugins = read.get("plugins")
            rows = plugins if isinstance(plugins, list) else [read]
            return tuple(_types_of(rows))
    return ()


def _types_of(rows: list[object]) -> Iterator[str]:
    """Each plugin's type, and the one that flannel or multus hands on to."""
    for row in rows:
        if isinstance(row, dict):
            if isinstance(kind := row.get("type"), str):
                yield kind
            delegates = row.get("delegates")
            if isinstance(delegates, list):
                yield from _types_of(delegates)
