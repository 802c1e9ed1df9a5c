"""A proxy has no listener for the port to which its Service sends requests.

The controller gives a proxy a listener once there is a rule for it, and the Service's targetPort has to lead to it. A proxy that
was told of neither refuses the connection.

Kubernetes: https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.live.drift import Parting, View
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.loaded import of_view

PROBLEM = Problem(
    code="PP114",
    id="proxy-lacks-listener",
    title="A proxy has no listener for the port to which its Service sends requests.",
)


def look(view: View) -> Iterator[Finding]:
    """The proxy's own list of listeners has none on the port, or only one on its loopback."""
    yield from of_view(PROBLEM, Parting.NO_LISTENER, view)


CHECK = PROBLEM.check_of_proxies(look)
