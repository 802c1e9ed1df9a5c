"""PP2xx: what the API promises beside what a node has programmed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from builders import cluster, delivered, service, slices, step
from unit.findings.losing import fact, first, found, lost, one, recorded

from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.snapshot import NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.trace import StepKind, Verdict

HALF = Fraction(1, 2)


def with_hints() -> Cluster:
    """Endpoints with topology hints: whom a node should choose is the proxy's affair."""
    given = cluster()
    hinted = tuple(replace(each, zone_hints=("east",)) for each in given.slices[0].endpoints)
    return replace(given, slices=(replace(given.slices[0], endpoints=hinted),))


@pytest.mark.parametrize("verdict", [Verdict.LEFT_CLUSTER, Verdict.NO_ROUTE, Verdict.REFUSED])
def test_a_service_that_a_node_has_no_rule_for(verdict: Verdict) -> None:
    """The packet leaves the node's rules with the Service's address, whatever happens then."""
    each = one(found("PP201", first(), lost(first(), verdict, "it strays")))

    assert each.message == (
        "node1 has no rule for ClusterIP 10.96.0.9:80/tcp, though default/web has 3 ready endpoints; "
        "no rule of kube-proxy was met there"
    )
    assert (each.node, each.namespace, len(each.remedy)) == ("node1", "host", 3)


def test_nobody_has_to_listen_on_a_services_own_address() -> None:
    """What is missing is the rule."""
    question = first()
    node = recorded("node1", sockets=())

    assert found("PP106", question, lost(question, Verdict.REFUSED, "nothing listens"), node1=node) == ()


def test_other_rules_of_the_proxy_are_told() -> None:
    """A flush of one chain is not a proxy that never came."""
    jump = fact("iptables-nft", "node1 nat/PREROUTING/1", "-A PREROUTING -j KUBE-SERVICES")

    each = one(found("PP201", first(), lost(first(), Verdict.NO_ROUTE, "no route", jump)))

    assert each.message.endswith("other rules of kube-proxy are there")


def test_a_rule_that_drops_before_is_no_missing_service() -> None:
    """Nor is a proxy that refuses for want of endpoints, nor a Service without any."""
    question = first()
    empty = replace(cluster(), slices=())

    assert found("PP201", question, lost(question, Verdict.DROPPED, "dropped by a rule")) == ()
    assert found("PP201", question, lost(question, Verdict.NO_BACKEND, "it rejects")) == ()
    assert found("PP201", first(empty), lost(question, Verdict.NO_ROUTE, "no route"), world=empty) == ()


def test_an_endpoint_that_a_node_does_not_choose() -> None:
    """All connections go to the others."""
    question = first()

    each = one(found("PP202", question, delivered(question, 1, HALF), delivered(question, 2, HALF)))

    assert each.message == "node1 does not send to 10.244.3.3:8080: 1 of 3 ready endpoints"
    assert [one_.text for one_ in each.evidence] == ["ready, pod web-3 on node3"]


def test_a_node_that_refuses_though_there_are_endpoints() -> None:
    """It knows none of them."""
    question = first()

    each = one(found("PP202", question, lost(question, Verdict.NO_BACKEND, "kube-proxy rejects it")))

    assert each.message.endswith("3 of 3 ready endpoints")
    assert each.paths == (0,)


@pytest.mark.parametrize(
    "world", [with_hints(), cluster(service(session_affinity="ClientIP"))], ids=["hints", "affinity"]
)
def test_what_is_left_to_the_proxy_is_no_drift(world: Cluster) -> None:
    """Hints and affinity may leave endpoints out."""
    question = first(world)
    paths = (delivered(question, 1, HALF), delivered(question, 2, HALF))

    assert found("PP202", question, *paths, world=world) == ()


def test_paths_that_are_not_all_there_prove_nothing() -> None:
    """A share that was assumed or is missing may go to the endpoint."""
    question = first()

    assert found("PP202", question, delivered(question, 1), delivered(question, 2)) == ()
    assert found("PP202", question, delivered(question, 1, HALF), delivered(question, 2, None)) == ()


def test_an_endpoint_that_is_gone() -> None:
    """The rule that still sends there is the evidence."""
    given = replace(cluster(), slices=(slices((True, True, False)),))
    question = first(given)
    paths = [delivered(question, number) for number in (1, 2, 3)]

    each = one(found("PP203", question, *paths, world=given))

    assert each.message == (
        "node1 still sends to 10.244.3.3:8080, where default/web-3 is now: no ready endpoint has this address"
    )
    assert (each.paths, each.evidence[0].text[:8]) == ((2,), "-A KUBE-")
    assert found("PP203", first(), *paths) == ()


@pytest.mark.parametrize(
    ("seconds", "told", "severity"),
    [
        (4, "4 seconds before, so this may still be on its way", "suspicion"),
        (600, "10 minutes before", "problem"),
        (3 * 86400, "3 days before", "problem"),
    ],
)
def test_the_age_of_drift(seconds: int, told: str, severity: str) -> None:
    """A change of a moment ago may still be on its way to the node."""
    looked = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = cluster()
    changed = replace(given.slices[0], changed=looked - timedelta(seconds=seconds))
    world = replace(given, slices=(changed,))
    host = NetworkNamespace(identity=1, is_host=True)
    node = RecordedNode(Snapshot(node="node1", taken_at="2026-01-02T03:04:05Z", namespaces=(host,)))
    question = first(world)
    paths = (delivered(question, 1, HALF), delivered(question, 2, HALF))

    each = one(found("PP202", question, *paths, world=world, node1=node))

    assert each.message.endswith(f"; the endpoints last changed {told}")
    assert each.severity == severity


def test_rules_in_both_back_ends() -> None:
    """Of one proxy, on the way of one packet."""
    question = first()
    path = delivered(question, 1, Fraction(1))
    legacy = fact("iptables-legacy", "node1 nat/PREROUTING/1", "-A PREROUTING -j KUBE-SERVICES")
    host = path.hops[1]
    both = replace(host, steps=(step(StepKind.JUMPED, "to KUBE-SERVICES", legacy), *host.steps))

    each = one(found("PP204", question, replace(path, hops=(path.hops[0], both, *path.hops[2:]))))

    assert [one_.section for one_ in each.evidence] == ["iptables-legacy", "iptables-nft"]
    assert found("PP204", question, path) == ()
