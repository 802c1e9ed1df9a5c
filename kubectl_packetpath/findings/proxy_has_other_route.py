"""A proxy does otherwise with the request than the objects say: drift.

It still has a rule of yesterday, or one of an object that is not looked at here, as Contour's HTTPProxy, comes before.

Kubernetes: https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.live.drift import Parting, View
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.loaded import of_view

PROBLEM = Problem(
    code="PP116",
    id="proxy-has-other-route",
    title="A proxy does otherwise with the request than the objects say: drift.",
)


def look(view: View) -> Iterator[Finding]:
    """The route that takes the request in the proxy's own configuration leads elsewhere, or there should be none."""
    yield from of_view(PROBLEM, Parting.OTHER_ROUTE, view)


CHECK = PROBLEM.check_of_proxies(look)
