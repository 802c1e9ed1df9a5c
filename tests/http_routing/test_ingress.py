"""The Ingress specification's own examples."""

import pytest
from http_routing.tables import Case, ingress_json, requests

from kubectl_packetpath.cluster.http.ingress import route_ingress
from kubectl_packetpath.cluster.http.objects import ingress_of
from kubectl_packetpath.cluster.http.request import request_of

CASES = list(requests("ingress.yaml"))


@pytest.mark.parametrize(("group", "case"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_a_request_goes_where_the_specification_says(group: Case, case: Case) -> None:
    """The Service that is named, or the answer of the controller itself."""
    ingresses = [ingress_of(ingress_json(n, short)) for n, short in enumerate(group["ingresses"])]

    found = route_ingress(request_of(case["url"], method=case.get("method", "GET")), ingresses)

    service = found.shares[0].backend.target.name if found.shares else None
    assert (case["to"], case.get("status")) == (service, found.status)
    assert found.is_certain
