"""PP503."""

from dataclasses import replace

import pytest
from builders import questions, without_route
from unit.cluster.policy.guarded import CLOSED, OPEN, answer, enforced_by, guarded

from kubectl_packetpath.cluster.policy.enforcement import NodeSigns
from kubectl_packetpath.findings import Finding, Severity, findings
from kubectl_packetpath.trace import Fact, Path, Step, StepKind, Verdict


def dropped(path: Path, chain: str) -> Path:
    """Stopped by the third rule of a chain."""
    fact = Fact(section="iptables-nft", key=f"node1 filter/{chain}/3", text=f"-A {chain} -j DROP")
    step = Step(kind=StepKind.DROPPED, text="dropped", because=(fact,))
    last = replace(path.hops[-1], steps=(*path.hops[-1].steps[:-1], step))
    ending = replace(path.ending, verdict=Verdict.DROPPED, reason=f"dropped by {chain}")
    return replace(path, hops=(*path.hops[:-1], last), ending=ending)


def found(spec: str, chain: str, image: str = "") -> tuple[Finding, ...]:
    """What is found where a packet ends in this chain."""
    world = guarded(spec)
    signs = NodeSigns(node="node1")
    given = answer(world, enforced_by(image, signs), dropped(without_route(questions(world)[0], 3), chain))
    return tuple(each for each in findings(given, given.ways[0]) if each.code == "PP503")


@pytest.mark.parametrize(
    ("image", "severity"), [("calico/node:v3", Severity.PROBLEM), ("", Severity.SUSPICION)]
)
def test_an_allowed_connection_that_an_enforcer_stops_is_drift(image: str, severity: Severity) -> None:
    """Less sure where the enforcer itself is not seen: its chains may be left over."""
    (each,) = found(OPEN, "cali-tw-cali0123", image)

    assert (each.code, each.severity, each.subject) == ("PP503", severity, "default/web-3")
    assert [fact.text for fact in each.evidence] == ["-A cali-tw-cali0123 -j DROP"]


def test_a_drop_that_policies_ask_for_is_no_drift() -> None:
    """Nor is one in a chain that enforces no policies."""
    assert found(CLOSED, "cali-tw-cali0123", "calico/node:v3") == ()
    assert found(OPEN, "DOCKER-ISOLATION-STAGE-1", "calico/node:v3") == ()
