"""PP501."""

from dataclasses import replace

from builders import delivered, questions, without_route
from unit.cluster.policy.guarded import CLOSED, OPEN, answer, enforced_by, guarded

from kubectl_packetpath.cluster.policy.enforcement import Enforcement, enforcement
from kubectl_packetpath.findings import Finding, Severity, findings
from kubectl_packetpath.snapshot.absent import Absent, Why


def found(spec: str, by: Enforcement, *, arrives: bool = True) -> tuple[Finding, ...]:
    """What is found of a way with two paths."""
    world = guarded(spec)
    question = questions(world)[0]
    make = delivered if arrives else without_route
    given = answer(world, by, make(question, 2), make(question, 3))
    return tuple(each for each in findings(given, given.ways[0]) if each.code == "PP501")


def test_a_denied_connection_that_arrives_is_found() -> None:
    """For each endpoint, in the words of the policy."""
    first, second = found(CLOSED, enforced_by())

    assert (first.code, first.severity, first.subject) == ("PP501", Severity.PROBLEM, "default/web-2")
    assert first.message == (
        "no rule of default/it admits 8080/TCP from pod default/client-1; nothing here enforces it (flannel does not)"
    )
    assert (first.paths, second.paths) == ((0,), (1,))


def test_it_is_a_suspicion_where_not_all_could_be_looked_at() -> None:
    """An enforcer may be in a DaemonSet that may not be read."""
    hidden = enforcement(Absent(why=Why.NOT_PERMITTED, detail="forbidden"), [])

    assert {each.severity for each in found(CLOSED, hidden)} == {Severity.SUSPICION}


def test_nothing_is_found_where_all_is_well() -> None:
    """Allowed, or enforced elsewhere, or lost for another reason."""
    assert found(OPEN, enforced_by()) == ()
    assert found(CLOSED, enforced_by("cilium/cilium:v1")) == ()
    assert found(CLOSED, enforced_by(), arrives=False) == ()


def test_a_path_below_an_assumption_is_no_proof() -> None:
    """It may not arrive after all."""
    world = guarded(CLOSED)
    path = replace(delivered(questions(world)[0], 2), weight=None)
    given = answer(world, enforced_by(), path)

    assert findings(given, given.ways[0]) == ()
