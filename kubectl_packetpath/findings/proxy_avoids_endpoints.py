"""A proxy sends nothing to an endpoint that is ready.

Its own health check failed, or it ejected the endpoint because its answers were errors (outlier detection). The pod is ready by
the word of the API all the same.

Kubernetes: https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.live.drift import Parting, View
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.loaded import of_view

PROBLEM = Problem(
    code="PP118",
    id="proxy-avoids-endpoints",
    title="A proxy sends nothing to an endpoint that is ready.",
)


def look(view: View) -> Iterator[Finding]:
    """A ready endpoint is among the hosts of the proxy's cluster, and not healthy there."""
    yield from of_view(PROBLEM, Parting.AVOIDED, view)


CHECK = PROBLEM.check_of_proxies(look)
