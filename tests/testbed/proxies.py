"""How kube-proxy is told to work on a node, and which iptables the node has."""

from pathlib import Path
from shutil import which
from typing import Any

from testbed import machine
from testbed.addresses import AddressPlan
from testbed.spec import NodeSpec, Proxy

MODES = {
    Proxy.IPTABLES_NFT: "iptables",
    Proxy.IPTABLES_LEGACY: "iptables",
    Proxy.NFTABLES: "nftables",
    Proxy.IPVS: "ipvs",
}


def xtables_backend(proxy: Proxy) -> Path:
    """The program behind a node's `iptables`, for the kubelet, CNI plugins and kube-proxy alike."""
    name = "xtables-legacy-multi" if proxy is Proxy.IPTABLES_LEGACY else "xtables-nft-multi"
    return Path(which(name, path=machine.SYSTEM_PATH) or f"/usr/sbin/{name}")


def kube_proxy_config(plan: AddressPlan, node: NodeSpec, kubeconfig: Path) -> dict[str, Any]:
    """The sysctls for conntrack's size belong to the whole machine, so kube-proxy is told to leave them alone."""
    address = "::" if plan.versions[0] == 6 else "0.0.0.0"
    masquerade = {"masqueradeAll": plan.spec.masquerade_all}
    port_addresses = plan.spec.node_port_addresses
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": MODES.get(plan.spec.proxy_of(node.name), "iptables"),
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "bindAddress": address,
        "clusterCIDR": ",".join(str(plan.pods(version)) for version in plan.versions),
        "hostnameOverride": node.name,
        "oomScoreAdj": 0,
        "iptables": masquerade,
        "nftables": masquerade,
        "nodePortAddresses": port_addresses.split(",") if port_addresses else None,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
