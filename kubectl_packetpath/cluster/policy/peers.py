"""The other end of a flow, held against what a rule says of it.

Pods are found by their labels and those of their namespace. A pod with the network of its node is not told apart from
the node by most implementations, so no selector matches it; neither does one match a packet that arrives with an
address which is not its sender's.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/network-policies/ ("NetworkPolicy and hostNetwork
pods"; "When … rewriting the source IP … it is not defined whether this happens before or after")
Kubernetes: KEP-2091, https://network-policy-api.sigs.k8s.io/reference/spec/ ("host-networked pods are not included")
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.model import Pod
from kubectl_packetpath.cluster.policy.certainty import Certainty, Match, every, first_yes
from kubectl_packetpath.cluster.policy.flow import Party
from kubectl_packetpath.cluster.policy.objects import IpBlock, Peer
from kubectl_packetpath.cluster.policy.selectors import Labels, LabelSelector
from kubectl_packetpath.cluster.policy.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is held against a rule, and for whom."""

    world: World
    party: Party
    """The other end."""
    home: str
    """The namespace of the pod that the rule protects: where a peer names no namespace, this one is meant."""


def match_peers(peers: tuple[Peer, ...], asked: Asked) -> Match:
    """Whether the other end is one of these."""
    return first_yes((match_peer(each, asked) for each in peers), Match(holds=False, text="it lists no peer"))


def match_peer(peer: Peer, asked: Asked) -> Match:
    """Whether the other end is this one."""
    if peer.block is not None:
        return _match_block(peer.block, asked.party, "ipBlock")
    if peer.networks:
        missing = Match(holds=False, text="it lists no network")
        return first_yes((_match_block(each, asked.party, "network") for each in peer.networks), missing)
    if peer.domains:
        return Match(
            holds=None, text=f"which addresses {', '.join(peer.domains)} has is known to the enforcer alone"
        )
    if peer.nodes is not None:
        return _match_node(peer.nodes, asked)
    if not peer.is_known:
        return Match(holds=False, text="the peer says nothing that is known here")
    pod = asked.party.network_pod
    if pod is None and asked.party.hidden:
        return Match(holds=None, text=f"which pod has {asked.party} is not known")
    if pod is None:
        return Match(holds=False, text=_why_no_pod(asked.party))
    return _match_pod(peer, asked, pod)


def _match_block(block: IpBlock, party: Party, word: str) -> Match:
    written = f"{word} {block.written}"
    address = party.address
    if block.network is None:
        return Match(holds=None, text=f"{written} is no network")
    if address is None:
        return Match(holds=None, text=f"the address to hold against {written} is not known")
    if address not in block.network:
        return Match(holds=False, text=f"{written} does not hold {address}")
    excepted = next((each for each in block.excepted if address in each), None)
    if excepted is not None:
        return Match(holds=False, text=f"{written} excepts {excepted}, which holds {address}")
    return Match(holds=True, text=f"{written}, which holds {address}")


def _match_node(selector: LabelSelector, asked: Asked) -> Match:
    address = asked.party.address
    node = asked.world.node_with(address) if address is not None else None
    if node is None:
        return Match(holds=False, text=f"nodes {selector} do not include {asked.party}")
    return _selected("nodes", selector, asked.world.labels_of_node(node.name), f"node {node.name}")


def _why_no_pod(party: Party) -> str:
    if party.really:
        return f"it arrives as {party}, so no selector finds {party.really}"
    if party.pod is not None:
        return f"no selector matches {party}, which uses the network of its node"
    return f"{party} is no pod, so no selector matches it"


def _match_pod(peer: Peer, asked: Asked, pod: Pod) -> Match:
    home = _match_namespace(peer, asked, pod)
    labels = asked.world.labels_of_pod(pod)
    own = _selected("podSelector", peer.pods or LabelSelector(), labels, f"pod {pod.full_name}")
    holds: Certainty = every((home.holds, own.holds))
    if holds:
        return Match(holds=True, text=f"{home.text} and {own.text}" if home.text else own.text)
    wanting = home if home.holds is holds else own
    return Match(holds=holds, text=wanting.text)


def _match_namespace(peer: Peer, asked: Asked, pod: Pod) -> Match:
    labels = asked.world.labels_of_namespace(pod.namespace)
    if peer.namespaces is not None:
        return _selected("namespaceSelector", peer.namespaces, labels, f"namespace {pod.namespace}")
    if peer.same_labels or peer.not_same_labels:
        return _related(peer, asked, labels)
    if pod.namespace == asked.home:
        return Match(holds=True)
    text = f"without a namespaceSelector it means pods of namespace {asked.home}, not of {pod.namespace}"
    return Match(holds=False, text=text)


def _related(peer: Peer, asked: Asked, labels: Labels) -> Match:
    """Namespaces that have the same values as the subject's own, or others."""
    own = asked.world.labels_of_namespace(asked.home)
    keys = peer.same_labels or peer.not_same_labels
    words = "sameLabels" if peer.same_labels else "notSameLabels"
    if not (own.complete and labels.complete):
        return Match(holds=None, text=f"{words} {','.join(keys)}: labels of namespaces are not known")
    alike = [own.pairs.get(key) == labels.pairs.get(key) is not None for key in keys]
    holds = all(alike) if peer.same_labels else not any(alike)
    return Match(holds=holds, text=f"{words} {','.join(keys)} {'hold' if holds else 'do not hold'}")


def _selected(word: str, selector: LabelSelector, labels: Labels, who: str) -> Match:
    holds = selector.holds(labels)
    if holds:
        return Match(holds=True, text=f"{word} {selector}")
    if holds is None:
        return Match(holds=None, text=f"{word} {selector} cannot be held against {who} ({labels})")
    return Match(holds=False, text=f"{word} {selector} does not match {who} ({labels})")
