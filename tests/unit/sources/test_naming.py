"""A trace in the cluster's words."""

from dataclasses import replace
from ipaddress import ip_address

from builders import answered, cluster, delivered, packet_of, questions, service, step

from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.sources.naming import Namer
from kubectl_packetpath.trace import Ending, Fact, Hop, Path, StepKind, Trace, Verdict

IPTABLES = Fact(
    section="iptables-nft",
    key="node1 filter/KUBE-SERVICES/2",
    text='-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment "default/web:http has no endpoints" '
    "-m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable",
)
FOREIGN = Fact(section="iptables-nft", key="node1 filter/FORWARD/1", text="-A FORWARD -p tcp -j REJECT")


def refused_by(fact: Fact) -> tuple[Trace, Question]:
    """A packet that a rule rejects."""
    question = questions(cluster())[0]
    last = Hop(node="node1", namespace="host", steps=(step(StepKind.REJECTED, "rejected by a rule", fact),))
    ending = Ending(verdict=Verdict.REJECTED, reason="rejected by a rule")
    path = Path(weight=None, hops=(last,), packet=packet_of(question), ending=ending)
    return answered(question, path).trace, question


def named(trace: Trace, question: Question | None) -> Path:
    """Its first path in the cluster's words."""
    return Namer(cluster=cluster(), node=lambda _: None).named(trace, question).paths[0]


def test_a_proxys_refusal_is_a_missing_backend() -> None:
    """kube-proxy rejects for a Service without endpoints: that is the news, not the rule."""
    found = named(*refused_by(IPTABLES)).ending

    assert found.verdict is Verdict.NO_BACKEND
    assert found.reason == "kube-proxy rejects it: default/web:http has no endpoints"
    assert found.remedy == "kubectl -n default get endpointslices -l kubernetes.io/service-name=web"


def test_any_other_rule_that_rejects_stays_one() -> None:
    """Not every refusal is a missing backend."""
    assert named(*refused_by(FOREIGN)).ending.verdict is Verdict.REJECTED


def test_a_namespace_is_named_by_its_pods_uid() -> None:
    """Where the node knows no more of it."""
    question = questions(cluster())[0]
    path = delivered(question, 2)
    nameless = replace(path, hops=(*path.hops[:-1], replace(path.hops[-1], namespace="pod web-uid-2")))

    found = named(answered(question, nameless).trace, question)

    assert found.hops[-1].namespace == "default/web-2"


def test_what_nobody_claims_keeps_its_number() -> None:
    """A name is never made up."""
    question = questions(cluster())[0]
    path = delivered(question, 2)
    nameless = replace(path, hops=(*path.hops[:-1], replace(path.hops[-1], namespace="netns 4026532000")))

    found = named(answered(question, nameless).trace, question)

    assert found.hops[-1].namespace == "netns 4026532000"


def test_a_port_on_which_nothing_listens_leads_to_the_service() -> None:
    """Its targetPort is the first suspect."""
    question = questions(cluster(service(cluster_ips=(ip_address("10.96.0.9"),))))[0]
    path = delivered(question, 2)
    refused = replace(
        path, ending=Ending(verdict=Verdict.REFUSED, reason="nothing listens on 10.244.2.3:8080/tcp")
    )

    found = named(answered(question, refused).trace, question)

    assert found.ending.remedy == "kubectl -n default describe service web"
