"""Our own verdicts, in the words of the judge that they are held against."""

from ipaddress import ip_address

from policy.cases import Case
from policy.oracle import Judgement

from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.objects import cluster_of
from kubectl_packetpath.cluster.policy.decide import decide
from kubectl_packetpath.cluster.policy.flow import Party, PolicyFlow
from kubectl_packetpath.cluster.policy.verdict import Says


def ours(made: Case) -> list[Judgement]:
    """What we say of the flows of a case."""
    cluster = cluster_of(made.objects)
    ends = {name: _party(cluster, name) for flow in made.flows for name in (flow.source, flow.destination)}
    found = []
    for flow in made.flows:
        verdict = decide(
            PolicyFlow(
                source=ends[flow.source],
                destination=ends[flow.destination],
                protocol=flow.protocol,
                port=flow.port,
            ),
            cluster,
        )
        assert verdict.says is not Says.UNKNOWN, verdict.deciding.reason
        found.append(
            Judgement(
                egress=verdict.egress.says is Says.ALLOWED, ingress=verdict.ingress.says is Says.ALLOWED
            )
        )
    return found


def _party(cluster: Cluster, name: str) -> Party:
    namespace, slash, own = name.partition("/")
    pod = cluster.pod(namespace, own) if slash else None
    if pod is None:
        return Party(address=ip_address(name))
    return Party(address=pod.addresses[0], pod=pod, node=pod.node)
