"""PP502."""

from builders import delivered, questions
from unit.cluster.policy.guarded import CLOSED, answer, enforced_by, guarded

from kubectl_packetpath.findings import findings


def test_a_denied_connection_that_the_enforcers_rules_let_pass_is_drift() -> None:
    """Its rules were walked, and nothing stopped the packet."""
    world = guarded(CLOSED)
    given = answer(world, enforced_by("calico/node:v3"), delivered(questions(world)[0], 2))
    (found,) = findings(given, given.ways[0])

    assert (found.code, [fact.key for fact in found.evidence]) == ("PP502", ["DaemonSet kube-system/it"])
    assert found.message.endswith(
        "admits 8080/TCP from pod default/client-1; the rules of Calico let it pass"
    )
    assert found.remedy == ("kubectl -n default describe networkpolicy it",)
