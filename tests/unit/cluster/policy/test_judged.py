"""Policies beside a walk."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address, ip_network

from builders import cluster, delivered, packet_of, questions, rewrite, without_route
from unit.cluster.policy.guarded import CLOSED, OPEN, enforced_by, guarded, way

from kubectl_packetpath.cluster.ask import TargetKind
from kubectl_packetpath.cluster.policy.judged import chains_of, judged
from kubectl_packetpath.cluster.policy.paths import flow_of
from kubectl_packetpath.cluster.policy.read import policies_of
from kubectl_packetpath.cluster.policy.world import World
from kubectl_packetpath.cluster.question import Start
from kubectl_packetpath.trace import Fact, Path, Step, StepKind, Verdict


def test_the_flow_is_what_the_nodes_carry() -> None:
    """From pod to pod, with the port that the endpoint has and the Service's address beside it."""
    world = cluster()
    question = questions(world)[0]
    flow = flow_of(question, packet_of(question), delivered(question, 2), world)

    assert flow is not None
    assert (str(flow.source), str(flow.destination)) == ("pod default/client-1", "pod default/web-2")
    assert (flow.protocol, flow.port, str(flow.asked)) == ("TCP", 8080, "10.96.0.9")
    assert flow.seen_as is None


def test_a_masquerade_on_an_earlier_node_hides_the_source() -> None:
    """One on the pod's own node comes after the policies."""
    world = cluster()
    question = questions(world)[0]
    far, near = (_masqueraded(delivered(question, number)) for number in (2, 1))
    flows = [flow_of(question, packet_of(question), path, world) for path in (far, near)]

    assert [flow and str(flow.seen_as) for flow in flows] == ["172.30.1.11", "None"]
    assert flows[0] is not None
    assert flows[0].seen_as is not None
    assert flows[0].seen_as.really == "pod default/client-1 (10.244.1.2)"


def _masqueraded(path: Path) -> Path:
    first, second, *others = path.hops
    step = next(each for each in reversed(second.steps) if each.after is not None)
    assert step.after is not None
    changed = replace(step.after, source=ip_address("172.30.1.11"))
    steps = (*second.steps, rewrite(step.after, changed))
    return replace(path, hops=(first, replace(second, steps=steps), *others), packet=changed)


def test_a_port_that_a_proxy_in_the_pod_takes_is_not_the_flows() -> None:
    """The pod's door comes before its own rules."""
    world = cluster()
    question = questions(world)[0]
    path = delivered(question, 2)
    inside = replace(path.packet, dport=15006)
    last = replace(path.hops[-1], steps=(rewrite(path.packet, inside), *path.hops[-1].steps))
    flow = flow_of(
        question, packet_of(question), replace(path, hops=(*path.hops[:-1], last), packet=inside), world
    )

    assert flow is not None
    assert flow.port == 8080


def test_a_packet_that_was_lost_before_its_endpoint_was_chosen_has_no_flow() -> None:
    """Nobody knows whose policies to ask."""
    world = cluster()
    question = questions(world)[0]
    sent = packet_of(question)
    path = replace(without_route(question, 3), packet=sent)
    hops = tuple(
        replace(hop, steps=tuple(step for step in hop.steps if step.kind is not StepKind.REWROTE))
        for hop in path.hops
    )

    assert flow_of(question, sent, replace(path, hops=hops), world) is None


def test_an_address_of_a_pod_that_may_not_be_looked_at_is_not_taken_for_one_outside() -> None:
    """A selector may well mean it."""
    nodes = tuple(
        replace(each, pod_networks=(ip_network(f"10.244.{number}.0/24"),))
        for number, each in enumerate(cluster().nodes, 1)
    )
    world = guarded(
        "{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}", nodes=nodes
    )
    question = replace(
        questions(world)[0],
        start=Start(kind=TargetKind.OUTSIDE, node="node1", address=ip_address("10.244.2.99")),
    )
    found = judged(question, packet_of(question), delivered(question, 1), World.of(world), enforced_by())

    assert found is not None
    assert found.verdict.ingress.says == "unknown"
    assert "which pod has 10.244.2.99 is not known" in found.verdict.ingress.reason


def test_where_nobody_enforces_the_kernel_decides() -> None:
    """Denied, and it arrives all the same."""
    world = guarded(CLOSED)
    found = way(world, enforced_by(), delivered(questions(world)[0], 2, Fraction(1)))

    assert (found.family, found.policies[0] and found.policies[0].verdict.says) == ("arrived", "denied")


def test_an_enforcer_that_a_walk_follows_leaves_the_decision_to_it() -> None:
    """Its rules are among those that were walked."""
    world = guarded(CLOSED)
    found = way(world, enforced_by("calico/node:v3"), delivered(questions(world)[0], 2, Fraction(1)))

    assert found.family == "arrived"


def test_an_enforcer_that_a_walk_does_not_see_makes_it_unknown() -> None:
    """Whatever the policies say: only it knows what it does."""
    for spec, says in ((CLOSED, "policies deny it"), (OPEN, "policies allow it")):
        world = guarded(spec)
        found = way(world, enforced_by("cilium/cilium:v1"), delivered(questions(world)[0], 2, Fraction(1)))

        assert (found.family, found.verdict) == ("unknown", Verdict.UNKNOWN)
        assert found.undecided(found.trace.paths[0]) == (
            f"{says}, and Cilium enforces them by BPF programs at the pods' devices, where the walk does not see"
        )


def test_without_a_policy_an_unseen_enforcer_has_nothing_to_enforce() -> None:
    """Nothing selects either end."""
    world = guarded("{podSelector: {matchLabels: {app: other}}}")
    found = way(world, enforced_by("cilium/cilium:v1"), delivered(questions(world)[0], 2, Fraction(1)))

    assert found.family == "arrived"


def test_a_drop_is_traced_to_the_enforcer_whose_chain_it_is() -> None:
    """By the place of the rule that decided."""
    world = guarded(CLOSED)
    path = without_route(questions(world)[0], 3)
    fact = Fact(section="iptables-nft", key="node1 filter/cali-tw-cali0123/7", text="-j DROP")
    dropped = Step(kind=StepKind.DROPPED, text="dropped", because=(fact,))
    last = replace(path.hops[-1], steps=(*path.hops[-1].steps[:-1], dropped))
    ending = replace(path.ending, verdict=Verdict.DROPPED)
    found = way(world, enforced_by(), replace(path, hops=(*path.hops[:-1], last), ending=ending))

    assert found.policies[0] is not None
    assert found.policies[0].stopped_by == "Calico"


def test_an_old_recording_without_policies_says_nothing_of_them() -> None:
    """It was made before they were read."""
    world = replace(guarded(CLOSED), policies=policies_of({}))
    found = way(world, enforced_by(), delivered(questions(world)[0], 2))

    assert found.policies == (None,)


def test_chains_are_known_by_going_through_them_and_by_jumps_to_them() -> None:
    """One without a rule that matches leaves no other trace."""
    world = guarded(CLOSED)
    path = delivered(questions(world)[0], 2)
    text = '-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD'
    jump = Fact(section="iptables-nft", key="node1 filter/FORWARD/1", text=text)
    rule = Fact(section="nftables", key="node2 kube-router-filter-ipv4/KUBE-ROUTER-FORWARD/2", text="accept")
    here, there = (
        replace(path.hops[number], steps=(Step(kind=StepKind.JUMPED, text="", because=(fact,)),))
        for number, fact in ((1, jump), (2, rule))
    )
    path = replace(path, hops=(path.hops[0], here, there, *path.hops[3:]))

    assert chains_of([path], "node1") == {"FORWARD", "cali-FORWARD"}
    assert chains_of([path], "node2") == {"KUBE-ROUTER-FORWARD"}
