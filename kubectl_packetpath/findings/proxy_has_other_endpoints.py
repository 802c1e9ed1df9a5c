"""A proxy sends to other endpoints than those that are ready: drift.

A controller that hangs, or lost its watch on the API, leaves its proxies with the endpoints of yesterday: connections to pods
that are gone fail, and new pods get none.

Kubernetes: https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.live.drift import Parting, View
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.loaded import of_view

PROBLEM = Problem(
    code="PP117",
    id="proxy-has-other-endpoints",
    title="A proxy sends to other endpoints than those that are ready: drift.",
)


def look(view: View) -> Iterator[Finding]:
    """The hosts of the proxy's cluster are not the ready endpoints of the Service."""
    yield from of_view(PROBLEM, Parting.OTHER_ENDPOINTS, view)


CHECK = PROBLEM.check_of_proxies(look)
