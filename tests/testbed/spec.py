"""What a cluster should be like: the one description that the command line, tests and the virtual machine share."""

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

LONGEST_NAME = 11
"""Interface names hold 15 characters, and four of them are our prefix."""


class Proxy(StrEnum):
    """How a node turns Service addresses into pod addresses."""

    IPTABLES_NFT = "iptables-nft"
    IPTABLES_LEGACY = "iptables-legacy"
    NFTABLES = "nftables"
    IPVS = "ipvs"
    """Needs a kernel with ip_vs, such as the virtual machine's."""
    NONE = "none"


class Family(StrEnum):
    """Which IP versions nodes, pods and Services have."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DUAL = "dual"

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions, the primary one first."""
        return {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node, and in what it differs from the others."""

    name: str
    proxy: Proxy | None = None
    """None: as the cluster says."""
    subnet: int = 1
    """The L2 segment that the node is on: 1 or 2."""
    zone: str | None = None
    """Its topology.kubernetes.io/zone label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """A whole cluster. Two equal descriptions mean the same cluster."""

    name: str
    nodes: tuple[NodeSpec, ...]
    proxy: Proxy = Proxy.IPTABLES_NFT
    family: Family = Family.IPV4
    network: str = "bridge"
    """The pod network: a name from `testbed.networks`."""
    dns: bool = False
    """Whether CoreDNS runs, behind the address that pods are told to ask."""
    masquerade_all: bool = False
    """Whether kube-proxy hides the client of every connection to a Service behind the node."""
    node_port_addresses: str = ""
    """The networks in which a node's own addresses must be to have node ports, with commas; empty: as kube-proxy likes."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if not re.fullmatch(r"[a-z][a-z0-9-]*", self.name) or len(self.name) > LONGEST_NAME:
            raise ValueError(
                f"A cluster's name is a-z, 0-9 and -, at most {LONGEST_NAME} characters: not {self.name!r}."
            )
        if not 1 <= len(self.nodes) <= 5:
            raise ValueError(f"A cluster has one to five nodes, not {len(self.nodes)}.")
        if len({node.name for node in self.nodes}) != len(self.nodes):
            raise ValueError("Two nodes have the same name.")
        if any(node.subnet not in (1, 2) for node in self.nodes):
            raise ValueError("A node is on subnet 1 or 2.")

    @property
    def subnets(self) -> tuple[int, ...]:
        """The L2 segments that have nodes; the first is always there, for the control plane."""
        return tuple(sorted({1, *(node.subnet for node in self.nodes)}))

    def proxy_of(self, name: str) -> Proxy:
        """The proxy mode of one node."""
        return self.node(name).proxy or self.proxy

    def node(self, name: str) -> NodeSpec:
        """One node's description."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(
            f"{self.name} has no node {name!r}; it has {', '.join(node.name for node in self.nodes)}."
        )

    @classmethod
    def of(
        cls,
        name: str,
        nodes: int = 3,
        *,
        subnets: int = 1,
        proxies: dict[str, str] | None = None,
        **rest: Any,
    ) -> Self:
        """A cluster of node1, node2, ...; with two subnets, the last third of the nodes is on the second."""
        on_first = nodes if subnets == 1 else nodes - max(1, nodes // 3)
        names = [f"node{i + 1}" for i in range(nodes)]
        differing = {node: Proxy(proxy) for node, proxy in (proxies or {}).items()}
        if not differing.keys() <= set(names):
            raise ValueError(
                f"There is no node {', '.join(differing.keys() - set(names))}; there are: {', '.join(names)}."
            )
        return cls(
            name=name,
            nodes=tuple(
                NodeSpec(name=node, proxy=differing.get(node), subnet=1 if i < on_first else 2)
                for i, node in enumerate(names)
            ),
            **_typed(rest),
        )

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """From plain data."""
        nodes = tuple(
            NodeSpec(**node | {"proxy": Proxy(node["proxy"]) if node["proxy"] else None})
            for node in data["nodes"]
        )
        return cls(**_typed(data) | {"nodes": nodes})


def _typed(data: dict[str, Any]) -> dict[str, Any]:
    """Words given on the command line or read from a file, as the types that they name."""
    kinds: dict[str, type[StrEnum]] = {"proxy": Proxy, "family": Family}
    return data | {name: kind(data[name]) for name, kind in kinds.items() if name in data}
