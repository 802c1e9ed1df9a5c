"""Ports of a rule: by number, by range, or by the name that the destination pod gave one.

A name is looked up at the pod that takes the connection, for rules of either direction, together with the protocol:
two pods may have `http` on different numbers.

Kubernetes: KEP-2079 (endPort), https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
"""

from kubectl_packetpath.cluster.policy.certainty import Match, first_yes
from kubectl_packetpath.cluster.policy.flow import PolicyFlow
from kubectl_packetpath.cluster.policy.objects import PortMatch

JUDGED = frozenset({"TCP", "UDP", "SCTP"})
"""The protocols that policies know; for others each implementation does as it likes."""


def match_ports(ports: tuple[PortMatch, ...] | None, flow: PolicyFlow) -> Match:
    """Whether a rule is about the flow's port."""
    if ports is None:
        return Match(holds=True, text="every port")
    if flow.protocol not in JUDGED:
        return Match(holds=None, text=f"policies do not define what holds for {flow.protocol}")
    nothing = Match(holds=False, text="it lists no port")
    return first_yes((_match(each, flow) for each in ports), nothing)


def _match(port: PortMatch, flow: PolicyFlow) -> Match:
    if port.protocol and port.protocol != flow.protocol:
        return Match(holds=False, text=f"port {port} is not {flow.port}/{flow.protocol}")
    if port.name:
        return _named(port, flow)
    if port.first is None:
        return Match(holds=True, text=f"every {port.protocol} port")
    if flow.port is None:
        return Match(holds=None, text=f"the flow's port is not known, the rule's is {port}")
    last = port.first if port.last is None else port.last
    if port.first <= flow.port <= last:
        return Match(holds=True, text=f"port {port}")
    return Match(holds=False, text=f"port {port} is not {flow.port}/{flow.protocol}")


def _named(port: PortMatch, flow: PolicyFlow) -> Match:
    pod = flow.destination.pod
    if pod is None:
        return Match(holds=False, text=f"port {port} is a name, and {flow.destination} names no ports")
    meant = [each.port for each in pod.ports if (each.name, each.protocol) == (port.name, flow.protocol)]
    if flow.port in meant:
        return Match(holds=True, text=f"port {port}, which is {flow.port} of {pod.full_name}")
    numbers = " and ".join(map(str, meant)) or f"no {flow.protocol} port"
    return Match(holds=False, text=f"port {port} is {numbers} of {pod.full_name}, not {flow.port}")
