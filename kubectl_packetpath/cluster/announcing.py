"""Which nodes a load balancer's address leads to: who announces it, by the word of the announcers.

MetalLB gives an address of a pool, and its speakers announce it: by ARP and NDP (layer 2) one node, by BGP as many as have
sessions. No kernel shows it, since a speaker answers ARP itself; its status objects tell. They can be out of date: a
speaker that died leaves its own behind for a while. Whether the network outside has heard, nothing in a cluster tells.

Kubernetes: https://metallb.io/concepts/, ServiceL2Status and ServiceBGPStatus of https://metallb.io/apis/
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kubectl_packetpath.cluster.model import Announcement, Cluster, Service
from kubectl_packetpath.snapshot.absent import Absent, Why

POOL = "metallb.io/ip-allocated-from-pool"
KUBE_VIP = "kube-vip.io/vipHost"
KNOWN_ANNOTATIONS = (POOL, KUBE_VIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """Who takes packets for the balancer's addresses of one Service."""

    nodes: tuple[str, ...] | None = None
    """None: that is not known, any node may."""
    words: str = ""
    """For people; empty: nothing is to be said."""

    @property
    def by_nobody(self) -> bool:
        """Whether no node takes them."""
        return self.nodes == ()


def announced(cluster: Cluster, service: Service) -> Announced:
    """By MetalLB's status objects or kube-vip's annotation."""
    annotations = dict(service.annotations)
    if host := annotations.get(KUBE_VIP, ""):
        known = cluster.node(host) is not None
        words = f"kube-vip on {host} has taken the address, says the annotation {KUBE_VIP}"
        return Announced(nodes=(host,) if known else None, words=words)
    pool = annotations.get(POOL, "")
    return _by_metallb(cluster, service, pool) if pool else Announced()


def _by_metallb(cluster: Cluster, service: Service, pool: str) -> Announced:
    found = cluster.announcements
    if isinstance(found, Absent):
        if found.why is Why.NOT_ASKED:
            return Announced()
        why = found.detail or str(found.why)
        return Announced(
            words=f"MetalLB gave the address from pool {pool}; who announces it is not known: {why}"
        )
    own = [each for each in found if (each.namespace, each.name) == (service.namespace, service.name)]
    stale = [text for each in own if (text := _doubt(cluster, each))]
    if stale:
        return Announced(words=f"who announces the address is not certain: {'; '.join(dict.fromkeys(stale))}")
    if not own:
        return Announced(
            nodes=(),
            words=f"no node announces it: MetalLB gave the address from pool {pool}, and none of its speakers has "
            "a ServiceL2Status or ServiceBGPStatus for the Service",
        )
    nodes = tuple(sorted({each.node for each in own}))
    return Announced(nodes=nodes, words=_told(own))


def _doubt(cluster: Cluster, each: Announcement) -> str:
    """Why an announcement may be out of date."""
    node = cluster.node(each.node)
    if node is None or not node.ready:
        return f"{each.source} names {each.node}, which is {'no node' if node is None else 'not ready'}"
    if each.speaker_ready is False:
        return f"{each.source} names {each.node}, whose speaker {each.speaker} is not ready"
    return ""


def _told(own: Iterable[Announcement]) -> str:
    parts = []
    for how, verb in (("L2", "answers ARP and NDP for the address"), ("BGP", "announces the address by BGP")):
        listed = sorted((each for each in own if each.how == how), key=lambda each: each.node)
        if not listed:
            continue
        nodes = ", ".join(dict.fromkeys(each.node for each in listed))
        peers = ", ".join(dict.fromkeys(peer for each in listed for peer in each.peers))
        parts.append(
            f"MetalLB's speaker on {nodes} {verb}{f' to {peers}' if peers else ''}, says {listed[0].source}"
            + (f" and {len(listed) - 1} more" if len(listed) > 1 else "")
        )
    return "; ".join(parts)


__all__ = ["KNOWN_ANNOTATIONS", "Announced", "announced"]
