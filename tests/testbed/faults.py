"""Things that go wrong in clusters, done on purpose and undone afterwards.

    with fault(RouteDeleted(place=node, destination=pods_of_node2), ProxyFrozen(node=node)):
        ...
A new fault is one small class: what it needs to know, and `apply`, which breaks something and returns how to mend it.
kube-proxy repairs its own rules every now and then: freeze it first when a fault is in them.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from testbed.addresses import Address, Network
from testbed.control import Node, Place
from testbed.kube import Kube
from testbed.waiting import wait_until
from testbed.workloads import GATE

Mend = Callable[[], object]
TESTS = Path(__file__).parents[1]


class Fault(Protocol):
    """Something that can be broken and mended."""

    def apply(self) -> Mend:
        """Break it; the answer mends it."""


@contextmanager
def fault(*faults: Fault) -> Iterator[None]:
    """Break things in this order, and mend them in reverse, whatever happens in between."""
    with ExitStack() as stack:
        for each in faults:
            stack.callback(each.apply())
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDeleted:
    """A place forgets the way to a network."""

    place: Place
    destination: Network | str
    """A network, or `default`."""
    version: int = 4

    def apply(self) -> Mend:
        """All its routes to exactly this destination."""
        ip = ["ip", f"-{self.version}", "route"]
        lines = self.place.run([*ip, "show", "exact", str(self.destination)]).splitlines()
        if not lines:
            raise LookupError(f"{self.place.title} has no route to {self.destination}.")
        self.place.run([*ip, "flush", "exact", str(self.destination)])
        restore = "".join(f"ip -{self.version} route replace {line}\n" for line in lines)
        return partial(self.place.run, ["sh", "-e"], restore)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAdded:
    """A place has one route more, such as a blackhole."""

    place: Place
    route: str
    """As `ip route add` takes it: `blackhole 10.244.1.0/25`."""
    version: int = 4

    def apply(self) -> Mend:
        """Not allowed to replace one that is there."""
        ip = ["ip", f"-{self.version}", "route"]
        self.place.run([*ip, "add", *self.route.split()])
        return partial(self.place.run, [*ip, "delete", *self.route.split()])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFlushed:
    """A chain of iptables has lost its rules."""

    node: Node
    table: str
    chain: str
    version: int = 4

    def apply(self) -> Mend:
        """The table comes back as it was."""
        program = "iptables" if self.version == 4 else "ip6tables"
        saved = self.node.run([f"{program}-save", "-c", "-t", self.table])
        self.node.run([program, "-w", "-t", self.table, "-F", self.chain])
        return partial(self.node.run, [f"{program}-restore", "-w", "-c"], saved)


@dataclass(frozen=True, slots=True, kw_only=True)
class NftChainFlushed:
    """A chain of nftables has lost its rules."""

    node: Node
    table: str
    """With its family: `ip kube-proxy`."""
    chain: str

    def apply(self) -> Mend:
        """The chain's rules come back; counters start anew."""
        family, table = self.table.split()
        saved = self.node.run(["nft", "list", "chain", family, table, self.chain])
        flush = f"flush chain {family} {table} {self.chain}\n"
        self.node.run(["nft", "-f", "-"], flush)
        return partial(self.node.run, ["nft", "-f", "-"], flush + saved)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRule:
    """A rule that somebody else put first in a chain of iptables."""

    node: Place
    chain: str
    rule: str
    """As iptables takes it: `-p tcp --dport 8080 -j DROP`."""
    table: str = "filter"
    version: int = 4
    program: str = ""
    """Such as `iptables-legacy` on a node of the nft back end; empty for the node's own."""

    def apply(self) -> Mend:
        """First in its chain."""
        program = self.program or ("iptables" if self.version == 4 else "ip6tables")
        call = [program, "-w", "-t", self.table]
        self.node.run([*call, "-I", self.chain, "1", *self.rule.split()])
        return partial(self.node.run, [*call, "-D", self.chain, *self.rule.split()])


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTable:
    """A table of nftables that somebody else made."""

    place: Place
    rule: str
    """As nft takes it: `tcp dport 8080 drop`."""
    hook: str = "forward"
    priority: int = -10
    name: str = "foreign"

    def apply(self) -> Mend:
        """One base chain with one rule."""
        base = f"type filter hook {self.hook} priority {self.priority}; policy accept;"
        self.place.run(
            ["nft", "-f", "-"], f"table inet {self.name} {{ chain main {{ {base} {self.rule} }} }}\n"
        )
        return partial(self.place.run, ["nft", "delete", "table", "inet", self.name])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyKilled:
    """kube-proxy is gone: its rules stay as they were."""

    node: Node

    def apply(self) -> Mend:
        """Killed outright; later it starts again."""
        proxy = self.node.runtime.kube_proxy()
        if proxy is None:
            raise LookupError(f"{self.node.name} has no kube-proxy.")
        proxy.kill()
        return proxy.start


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFrozen:
    """kube-proxy hangs: it runs, and does nothing."""

    node: Node

    def apply(self) -> Mend:
        """By the freezer of its control group, which a SIGCONT does not undo."""
        proxy = self.node.runtime.kube_proxy()
        if proxy is None:
            raise LookupError(f"{self.node.name} has no kube-proxy.")
        proxy.freeze(frozen=True)
        return partial(proxy.freeze, frozen=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SysctlSet:
    """A kernel parameter has another value."""

    place: Place
    name: str
    """A path below /proc/sys."""
    value: int | str

    def apply(self) -> Mend:
        """The old value comes back."""
        before = self.place.sysctl(self.name)
        self.place.set_sysctl(self.name, self.value)
        return partial(self.place.set_sysctl, self.name, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongMtu:
    """A device takes only smaller packets."""

    place: Place
    device: str
    mtu: int

    def apply(self) -> Mend:
        """The old MTU comes back."""
        before = self.place.run(["cat", f"/sys/class/net/{self.device}/mtu"]).strip()
        change = ["ip", "link", "set", self.device, "mtu"]
        self.place.run([*change, str(self.mtu)])
        return partial(self.place.run, [*change, before])


@dataclass(frozen=True, slots=True, kw_only=True)
class FdbEntryDeleted:
    """A tunnel or bridge no longer knows where a hardware address is."""

    node: Place
    device: str
    containing: str
    """What the entries' text contains: a MAC address, or a tunnel's far end."""

    def apply(self) -> Mend:
        """Every such entry."""
        entries = self.node.run(["bridge", "fdb", "show", "dev", self.device]).splitlines()
        chosen = [entry.split() for entry in entries if self.containing in entry and "permanent" in entry]
        if not chosen:
            raise LookupError(f"{self.node.title} has no FDB entry with {self.containing} on {self.device}.")
        self._each("del", chosen)
        return partial(self._each, "append", chosen)

    def _each(self, verb: str, entries: list[list[str]]) -> None:
        for mac, *words in entries:
            kept = [word for word in words if word not in ("permanent", "extern_learn")]
            self.node.run(["bridge", "fdb", verb, mac, "dev", self.device, *kept])


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourDeleted:
    """A place no longer knows the hardware address of a neighbour that it does not ask for."""

    place: Place
    device: str
    address: Address

    def apply(self) -> Mend:
        """The entry comes back as it was."""
        ip = ["ip", "neigh"]
        shown = self.place.run([*ip, "show", str(self.address), "dev", self.device]).split()
        if "lladdr" not in shown:
            raise LookupError(f"{self.place.title} does not know {self.address} on {self.device}.")
        entry = [str(self.address), "dev", self.device]
        self.place.run([*ip, "delete", *entry])
        mac, state = shown[shown.index("lladdr") + 1], shown[-1].lower()
        return partial(self.place.run, [*ip, "replace", *entry, "lladdr", mac, "nud", state])


@dataclass(frozen=True, slots=True, kw_only=True)
class ConntrackFull:
    """The connection table of a node is full, so that it drops what is new.

    How many entries a namespace may have is set for the whole machine, so the table is really filled.
    """

    node: Place

    def apply(self) -> Mend:
        """Entries of our own, which are told by their mark when they are removed."""
        self._probe("fill")
        return partial(self._probe, "empty")

    def _probe(self, verb: str) -> None:
        python = [
            "env",
            f"PYTHONPATH={TESTS}",
            sys.executable,
            "-s",
            "-S",
            "-m",
            "testbed.probes.conntrack",
            verb,
        ]
        subprocess.run([*self.node.network_prefix, *python], check=True, timeout=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """A Deployment has another number of pods."""

    kube: Kube
    namespace: str
    name: str
    replicas: int

    def apply(self) -> Mend:
        """Waits until that many are ready, both ways."""
        api = {"apiVersion": "apps/v1", "kind": "Deployment"}
        before = self.kube.get("Deployment", self.name, self.namespace, api="apps/v1")["spec"]["replicas"]

        def scale(replicas: int) -> None:
            metadata = {"name": self.name, "namespace": self.namespace}
            self.kube.patch(api | {"metadata": metadata, "spec": {"replicas": replicas}})
            wait_until(f"{self.name} has {replicas} pods", partial(self._has, replicas))

        scale(self.replicas)
        return partial(scale, before)

    def _has(self, replicas: int) -> bool:
        seen = self.kube.get("Deployment", self.name, self.namespace, api="apps/v1")
        status: dict[str, Any] = seen.get("status", {})
        counts = (status.get("replicas", 0), status.get("readyReplicas", 0))
        return (
            counts == (replicas, replicas) and status["observedGeneration"] == seen["metadata"]["generation"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PodUnready:
    """A pod says that it is not ready, while it runs and would answer. It must have a gate (`Server(gated=True)`)."""

    kube: Kube
    namespace: str
    name: str

    def apply(self) -> Mend:
        """Its gate closes."""
        set_gate(self.kube, self.namespace, self.name, open_=False)
        return partial(set_gate, self.kube, self.namespace, self.name, open_=True)


def set_gate(kube: Kube, namespace: str, name: str, *, open_: bool) -> None:
    """Open or close the gate of a pod, and wait until the pod is as ready as it now should be."""
    wanted = str(open_)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}}
    seen = kube.get("Pod", name, namespace)["status"].get("conditions", [])
    others = [each for each in seen if each["type"] != GATE]
    gate = {"type": GATE, "status": wanted}
    kube.patch(pod | {"status": {"conditions": [*others, gate]}}, subresource="status")

    def shows() -> bool:
        conditions = kube.get("Pod", name, namespace)["status"].get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == wanted for each in conditions)

    wait_until(f"pod {name} is ready: {wanted}", shows)
