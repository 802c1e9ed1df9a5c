"""Where the independent judge is not to be followed, with what the API says instead.

Each of these asks both, so that a newer cyclonus which judges otherwise is noticed.
"""

from typing import Any

import pytest
from policy.cases import NAMESPACES, Case, Flow, pods
from policy.oracle import Judgement, ask
from policy.ours import ours

pytestmark = pytest.mark.oracle
ALLOWED = Judgement(egress=True, ingress=True)
DENIED = Judgement(egress=True, ingress=False)


def both(spec: dict[str, Any], source: str, destination: str, port: int = 80) -> tuple[Judgement, Judgement]:
    """Our verdict and theirs, for a policy in namespace x."""
    inside = pods(4)
    names = inside["x/b"]["spec"]["containers"][0]["ports"]
    names.append({"name": "second", "containerPort": 80, "protocol": "TCP"})
    made = Case(
        policies=({"metadata": {"name": "it", "namespace": "x"}, "spec": spec},),
        pods=inside,
        namespaces=NAMESPACES,
        flows=(Flow(source=source, destination=destination, protocol="TCP", port=port),),
    )
    return ours(made)[0], ask([made])[0][0]


def test_a_label_that_is_not_there_is_not_in_the_list() -> None:
    """labels/selector.go: NotIn holds where the key is missing; cyclonus wants the key to be there."""
    expression = {"key": "own", "operator": "NotIn", "values": ["yes"]}
    spec = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchExpressions": [expression]}}]}]}

    assert both(spec, "x/a", "x/b") == (ALLOWED, DENIED)


def test_a_label_that_is_not_there_is_not_an_empty_one() -> None:
    """labels/selector.go: `own: ""` wants a label with an empty value; cyclonus takes a missing one for it."""
    spec = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"own": ""}}}]}]}

    assert both(spec, "x/a", "x/b") == (DENIED, ALLOWED)


def test_a_pod_is_not_kept_from_itself() -> None:
    """Network policies: "a pod cannot block access to itself"; cyclonus does not look whose pod it is."""
    assert both({"podSelector": {}}, "x/a", "x/a") == (ALLOWED, DENIED)


def test_a_port_may_have_two_names() -> None:
    """NetworkPolicyPort: a name stands for the port of that name; cyclonus is told one name a flow."""
    spec = {"podSelector": {}, "ingress": [{"ports": [{"port": "second"}]}]}

    assert both(spec, "x/a", "x/b") == (ALLOWED, DENIED)
