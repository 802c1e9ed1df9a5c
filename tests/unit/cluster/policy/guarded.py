"""The builders' cluster with policies in it, and answers with what those say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml
from builders import cluster, packet_of, questions

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.model import Cluster, DaemonSet, Namespace
from kubectl_packetpath.cluster.policy.enforcement import Enforcement, NodeSigns, enforcement
from kubectl_packetpath.cluster.policy.judged import judged
from kubectl_packetpath.cluster.policy.read import policies_of
from kubectl_packetpath.cluster.policy.world import World
from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.trace import Path, Trace

CLOSED = "{podSelector: {}, policyTypes: [Ingress]}"
OPEN = "{podSelector: {}, ingress: [{ports: [{port: 8080}]}]}"
FLANNEL = NodeSigns(node="node1", cni=("flannel",))


def guarded(spec: str, **changes: Any) -> Cluster:
    """Three nodes with clients and servers, and a policy `default/it` with this spec."""
    given: Mapping[str, Any] = {
        "metadata": {"name": "it", "namespace": "default"},
        "spec": yaml.safe_load(spec),
    }
    return replace(
        cluster(),
        policies=policies_of({"networkpolicies": [given]}),
        namespaces=(Namespace(name="default"),),
        daemonsets=(),
        **changes,
    )


def enforced_by(image: str = "", signs: NodeSigns = FLANNEL) -> Enforcement:
    """Who enforces, where a DaemonSet has this image."""
    daemonsets = (DaemonSet(namespace="kube-system", name="it", images=(image,)),) if image else ()
    return enforcement(daemonsets, [signs])


def way(world: Cluster, by: Enforcement, *paths: Path, question: Question | None = None) -> Answered:
    """The first question of the cluster, answered with these paths."""
    asked = question or questions(world)[0]
    sent = packet_of(asked)
    trace = Trace(title=asked.title, node=asked.start.node, packet=sent, paths=paths)
    policies = tuple(judged(asked, sent, path, World.of(world), by) for path in paths)
    return Answered(question=asked, trace=trace, policies=policies)


def answer(world: Cluster, by: Enforcement, *paths: Path) -> Answer:
    """An answer of one way."""
    return Answer(target="svc/web", ways=(way(world, by, *paths),), cluster=world, enforcement=by)
