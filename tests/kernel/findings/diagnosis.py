"""What is found in a lab: the walk over its real namespaces, and the checks over the answer."""

from ipaddress import ip_address

from kernel.lab import Lab, question

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.ask import TargetKind
from kubectl_packetpath.cluster.model import Cluster, Node, Pod
from kubectl_packetpath.cluster.question import Question, Start
from kubectl_packetpath.findings import Finding, findings
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.walk.cluster import Cluster as WalkCluster
from kubectl_packetpath.walk.cluster import Place, PlaceKind, Query, trace


def diagnosed(made: Lab, pods: dict[str, str], source: str, target: str, port: int) -> tuple[Finding, ...]:
    """All that is found for a connection from one of these pods; the lab is one node."""
    known = tuple(
        Pod(namespace="lab", name=name, node=made.name, addresses=(ip_address(address),))
        for name, address in pods.items()
    )
    place = Place(
        kind=PlaceKind.POD, node=made.name, pod=PodReference(namespace="lab", name=source), addresses=()
    )
    with made.node() as node:
        found = trace(
            Query(title="lab", place=place, packet=question(target, port)),
            WalkCluster(nodes={made.name: node}),
        )
        asked = Question(
            way="Address",
            start=Start(kind=TargetKind.POD, node=made.name),
            destination=ip_address(target),
            protocol=6,
            port=port,
        )
        way = Answered(question=asked, trace=found)
        answer = Answer(
            target=target,
            ways=(way,),
            cluster=Cluster(pods=known, nodes=(Node(name=made.name),)),
            nodes={made.name: node},
        )
        return findings(answer, way)
