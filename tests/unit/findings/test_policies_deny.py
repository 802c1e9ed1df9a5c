"""PP504."""

from dataclasses import replace

from builders import questions, without_route
from unit.cluster.policy.guarded import CLOSED, OPEN, answer, enforced_by, guarded
from unit.findings.test_rules_deny_what_policies_allow import dropped

from kubectl_packetpath.cluster.policy.enforcement import NodeSigns
from kubectl_packetpath.dialects.cnis.calico import policy_chain
from kubectl_packetpath.findings import Finding, findings
from kubectl_packetpath.trace import Fact, Path, Step, StepKind


def tried(path: Path, chain: str) -> Path:
    """Through a policy's chain, before it was dropped."""
    fact = Fact(
        section="iptables-nft", key="node1 filter/cali-tw-cali0/4", text=f"-A cali-tw-cali0 -j {chain}"
    )
    step = Step(kind=StepKind.JUMPED, text=f"to {chain}", because=(fact,))
    last = path.hops[-1]
    return replace(path, hops=(*path.hops[:-1], replace(last, steps=(step, *last.steps))))


def found(spec: str, chain: str, *, through: str = "") -> tuple[Finding, ...]:
    """What is found where a packet ends in this chain."""
    world = guarded(spec)
    by = enforced_by("calico/node:v3", NodeSigns(node="node1"))
    path = dropped(without_route(questions(world)[0], 3), chain)
    given = answer(world, by, tried(path, through) if through else path)
    return tuple(each for each in findings(given, given.ways[0]) if each.code == "PP504")


def test_the_policy_that_denies_is_named() -> None:
    """With its chain, and the command that shows it."""
    chain = policy_chain("default", "it", "ingress")
    (each,) = found(CLOSED, "cali-tw-cali0123", through=chain)

    assert each.message.endswith(f"a rule of Calico stops it; {chain} is NetworkPolicy default/it")
    assert each.remedy == ("kubectl -n default describe networkpolicy it",)
    assert [fact.key for fact in each.evidence] == [
        "NetworkPolicy default/it",
        "node1 filter/cali-tw-cali0/4",
        "node1 filter/cali-tw-cali0123/3",
    ]


def test_a_chain_that_is_not_the_policys_is_not_said_to_be() -> None:
    """The policy may not be programmed yet."""
    (each,) = found(CLOSED, "cali-tw-cali0123", through="cali-pi-_0000000000000000000")
    assert each.message.endswith("a rule of Calico stops it")


def test_only_what_policies_deny_and_their_enforcer_stops() -> None:
    """An allowed connection, or one that a firewall stops, is another finding's."""
    assert found(OPEN, "cali-tw-cali0123") == ()
    assert found(CLOSED, "DOCKER-ISOLATION-STAGE-1") == ()
