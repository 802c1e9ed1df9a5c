"""A proxy does not know the rule by which the objects send the request on: drift.

The controller does not run, does not reach its proxies, or left the rule out. The proxy answers 404, while Ingress and Gateway
look as they should.

Kubernetes: https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.live.drift import Parting, View
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.loaded import of_view

PROBLEM = Problem(
    code="PP115",
    id="proxy-lacks-route",
    title="A proxy does not know the rule by which the objects send the request on: drift.",
)


def look(view: View) -> Iterator[Finding]:
    """No virtual host, or no route of it, takes the request in the proxy's own configuration."""
    yield from of_view(PROBLEM, Parting.NO_ROUTE, view)


CHECK = PROBLEM.check_of_proxies(look)
