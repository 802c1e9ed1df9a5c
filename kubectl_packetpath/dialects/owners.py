"""Whose a chain is, by its name: firewalls, container engines and networks that put rules of their own beside a proxy's.

Sources: the programs' own names: moby libnetwork/iptables.go, ufw src/ufw-init-functions, firewalld core/fw_zone.py,
libvirt src/network/bridge_driver_linux.c, tailscale util/linuxfw, containers/netavark, flannel pkg/trafficmngr/iptables,
antrea-io/antrea pkg/agent/route/route_linux.go, aws/amazon-vpc-cni-k8s pkg/networkutils (network.go, nftables_connmark.go),
Azure/azure-container-networking cns/restserver (SWIFT) and npm/util/const.go, projectcalico/calico felix/rules and
felix/nftables, cilium/cilium pkg/datapath/iptables, kubernetes-sigs/ip-masq-agent, kind images/kindnetd, kube-router
pkg/controllers/netpol (npc_iptables.go, npc_nftables.go), ovn-org/ovn-kubernetes go-controller/pkg/node, weaveworks/weave
net/bridge.go and npc/constants.go
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A program that writes rules."""

    name: str
    chains: tuple[str, ...]
    """How its chains' names begin."""
    tables: tuple[str, ...] = ()
    """Its own tables in nftables."""
    remedy: str = ""
    """How it is told to let something pass; `{cidr}` stands for who should."""


OWNERS = (
    Owner(name="Antrea", chains=("ANTREA-",), tables=("antrea",)),
    Owner(name="AWS VPC CNI", chains=("AWS-SNAT-CHAIN", "AWS-CONNMARK-CHAIN"), tables=("aws-cni",)),
    Owner(name="Azure CNI", chains=("SWIFT",)),
    Owner(name="Azure NPM", chains=("AZURE-NPM",)),
    Owner(name="Calico", chains=("cali-", "filter-cali-", "nat-cali-"), tables=("calico",)),
    Owner(name="Cilium", chains=("CILIUM_", "OLD_CILIUM_")),
    Owner(name="CNI's firewall plugin", chains=("CNI-FORWARD", "CNI-ADMIN", "CNI-ISOLATION")),
    Owner(name="CNI's portmap plugin", chains=("CNI-HOSTPORT", "CNI-DN-", "CNI-SN-")),
    Owner(
        name="Docker",
        chains=("DOCKER",),
        tables=("docker-bridges",),
        remedy="iptables -I DOCKER-USER -s {cidr} -j ACCEPT",
    ),
    Owner(name="fail2ban", chains=("f2b-",), tables=("f2b-table",), remedy="fail2ban-client status"),
    Owner(
        name="firewalld",
        chains=(
            "FWD",
            "FORWARD_",
            "INPUT_",
            "filter_FWD",
            "filter_FORWARD",
            "filter_INPUT",
            "filter_IN_",
            "IN_",
            "nat_PRE",
        ),
        tables=("firewalld",),
        remedy="firewall-cmd --permanent --zone=trusted --add-source={cidr} && firewall-cmd --reload",
    ),
    Owner(name="flannel", chains=("FLANNEL-",), tables=("flannel-ipv4", "flannel-ipv6")),
    Owner(name="ip-masq-agent", chains=("IP-MASQ",)),
    Owner(name="kindnet", chains=("KIND-MASQ-AGENT",), tables=("kindnet-network-policies",)),
    Owner(name="kube-proxy", chains=("KUBE-",), tables=("kube-proxy",)),
    Owner(
        name="kube-router",
        chains=("KUBE-ROUTER-", "KUBE-POD-FW-", "KUBE-NWPLCY-"),
        tables=("kube-router-filter-ipv4", "kube-router-filter-ipv6"),
    ),
    Owner(name="libvirt", chains=("LIBVIRT_", "guest_"), tables=("libvirt_network",)),
    Owner(name="Netavark (Podman)", chains=("NETAVARK",), tables=("netavark",)),
    Owner(name="OVN-Kubernetes", chains=("OVN-KUBE-",), tables=("ovn-kubernetes",)),
    Owner(name="Tailscale", chains=("ts-",)),
    Owner(name="ufw", chains=("ufw-", "ufw6-"), remedy="ufw route allow from {cidr}"),
    Owner(name="Weave Net", chains=("WEAVE",)),
)
"""Sorted by name."""


def owner_of(table: str, chain: str) -> Owner | None:
    """Whose chain this is: by its table, else by the longest beginning of its name that is known."""
    known = [(len(head), each) for each in OWNERS for head in each.chains if chain.startswith(head)]
    by_name = max(known, key=lambda found: found[0], default=(0, None))[1]
    return next((each for each in OWNERS if table in each.tables), by_name)
