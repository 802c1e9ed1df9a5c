"""The programs that enforce policies, and the marks by which each is known.

An API server takes policies whether anybody enforces them or not, so this is asked of the cluster: of its DaemonSets,
of the nodes' CNI configuration, devices and nftables tables, and of the chains that packets go through. Some enforce
by rules that a walk follows; others by programs of their own, of which it sees nothing.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/network-policies/#prerequisites
Kubernetes: the names are those of the programs' own manifests and sources: projectcalico/calico felix/rules,
cloudnativelabs/kube-router pkg/controllers/netpol, kubernetes-sigs/kube-network-policies, cilium/cilium, antrea-io/antrea,
aws/aws-network-policy-agent, Azure/azure-container-networking npm, weaveworks/weave npc, ovn-org/ovn-kubernetes
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcer:
    """A program that enforces policies, and how it is recognised."""

    name: str
    place: str
    """Where it enforces."""
    visible: bool = False
    """Its rules are among those that a walk follows."""
    images: tuple[str, ...] = ()
    """Parts of the image of a container of its DaemonSet."""
    flag: str = ""
    """It enforces only with this flag; one that ends in `!` enforces unless the flag says otherwise."""
    chains: tuple[str, ...] = ()
    """How its chains' names begin."""
    tables: tuple[str, ...] = ()
    """Its tables in nftables."""
    devices: tuple[str, ...] = ()
    cni: tuple[str, ...] = ()
    """Its types in the CNI configuration."""


ENFORCERS = (
    Enforcer(
        name="Antrea",
        place="flows of Open vSwitch (br-int)",
        images=("antrea/antrea-agent", "antrea/antrea-ubuntu", "antrea/antrea-ubi"),
        chains=("ANTREA-",),
        devices=("antrea-gw0",),
        cni=("antrea",),
    ),
    Enforcer(
        name="AWS network policy agent",
        place="BPF programs at the pods' devices",
        images=("aws-network-policy-agent", "network-policy-agent"),
        flag="--enable-network-policy=true",
    ),
    Enforcer(
        name="Azure NPM",
        place="chains AZURE-NPM…",
        visible=True,
        images=("azure-npm",),
        chains=("AZURE-NPM",),
    ),
    Enforcer(
        name="Calico",
        place="chains cali-…",
        visible=True,
        images=("calico/node", "calico-node", "canal/node"),
        chains=("cali-", "filter-cali-"),
        tables=("calico",),
        cni=("calico",),
    ),
    Enforcer(
        name="Calico eBPF",
        place="BPF programs at the pods' devices",
        devices=("bpfin.cali", "bpfout.cali"),
    ),
    Enforcer(
        name="Cilium",
        place="BPF programs at the pods' devices",
        images=("cilium/cilium", "cilium/cilium-agent", "gke.gcr.io/cilium", "anetd"),
        chains=("CILIUM_",),
        devices=("cilium_host", "cilium_net"),
        cni=("cilium-cni",),
    ),
    Enforcer(
        name="kindnet",
        place="a program behind an nfqueue (table kindnet-network-policies)",
        tables=("kindnet-network-policies",),
    ),
    Enforcer(
        name="kube-network-policies",
        place="a program behind an nfqueue (table kube-network-policies)",
        images=("kube-network-policies",),
        tables=("kube-network-policies",),
    ),
    Enforcer(
        name="Kube-OVN",
        place="access lists of OVN",
        images=("kube-ovn",),
        devices=("ovn0",),
        cni=("kube-ovn",),
    ),
    Enforcer(
        name="kube-router",
        place="chains KUBE-ROUTER-…, KUBE-POD-FW-… and KUBE-NWPLCY-…",
        visible=True,
        images=("kube-router",),
        flag="--run-firewall=false!",
        chains=("KUBE-ROUTER-", "KUBE-POD-FW-", "KUBE-NWPLCY-"),
        tables=("kube-router-filter-ipv4", "kube-router-filter-ipv6"),
    ),
    Enforcer(
        name="OVN-Kubernetes",
        place="access lists of OVN",
        images=("ovn-kubernetes", "ovn-kube", "ovnkube"),
        devices=("ovn-k8s-mp0",),
        cni=("ovn-k8s-cni-overlay",),
    ),
    Enforcer(
        name="Weave Net",
        place="chains WEAVE-NPC…",
        visible=True,
        images=("weave-npc",),
        chains=("WEAVE-NPC",),
    ),
)
"""Sorted by name. A DaemonSet of AWS' or kind's own network alone enforces nothing: their agents and tables do."""

WITHOUT_POLICIES = {
    "aws-cni": "the AWS VPC CNI",
    "azure-vnet": "the Azure CNI",
    "bridge": "the bridge plugin",
    "flannel": "flannel",
    "ipvlan": "the ipvlan plugin",
    "kindnet": "kindnet",
    "macvlan": "the macvlan plugin",
    "ptp": "the ptp plugin",
    "weave-net": "the Weave Net plugin",
}
"""Types in a CNI configuration, and what they are called; by themselves they enforce nothing."""
