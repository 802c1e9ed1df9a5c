"""The Gateway API's own conformance tests, as far as objects decide."""

from fractions import Fraction

import pytest
from http_routing.tables import Case, gateway_json, requests, route_json

from kubectl_packetpath.cluster.http.decision import Decision, Result
from kubectl_packetpath.cluster.http.gateway.objects import gateway_of, route_of
from kubectl_packetpath.cluster.http.gateway.routing import route_gateway
from kubectl_packetpath.cluster.http.gateway.world import GatewayManner, GatewayWorld
from kubectl_packetpath.cluster.http.request import request_of

CASES = list(requests("gateway.yaml"))
ARGUMENTS = [each[1:] for each in CASES]
NAMES = [each[0] for each in CASES]


def decided(group: Case, case: Case) -> Decision:
    """What is decided in a case."""
    world = GatewayWorld(
        gateway=gateway_of(gateway_json(group)),
        routes=tuple(
            route_of(route_json(n, short), short.get("kind", "HTTPRoute"))
            for n, short in enumerate(group["routes"])
        ),
        labels={"web": {"gateway-conformance": "backend"}},
        manner=GatewayManner(isolates=group.get("isolates")),
    )
    headers = tuple(case.get("headers", {}).items()) + ((("Host", case["host"]),) if "host" in case else ())
    return route_gateway(request_of(case["url"], method=case.get("method", "GET"), headers=headers), world)


@pytest.mark.parametrize(("group", "case"), ARGUMENTS, ids=NAMES)
def test_a_request_goes_where_the_specification_says(group: Case, case: Case) -> None:
    """The backends, the status or the redirect that the conformance test expects."""
    found = decided(group, case)

    weights = case.get("weights") or ({case["to"]: 1} if "to" in case else {})
    expected = {name: Fraction(str(weight)) for name, weight in weights.items()}
    assert expected == {each.backend.target.name: each.weight for each in found.shares}
    assert (case.get("status"), case.get("location", "")) == (found.status, found.location)
    assert case.get("refused", False) == (found.result is Result.REFUSED)


@pytest.mark.parametrize(("group", "case"), ARGUMENTS, ids=NAMES)
def test_every_rule_has_a_fate(group: Case, case: Case) -> None:
    """Exactly one rule is chosen where the request goes on, and every other says why it is not."""
    found = decided(group, case)

    chosen = [each for each in found.considered if each.fate.value == "chosen"]
    assert chosen == ([] if found.chosen is None else [found.chosen])
    assert all(each.why for each in found.considered)
