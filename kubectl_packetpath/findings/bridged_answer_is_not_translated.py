"""Answers between pods of one node come back with the endpoint's own address.

Both pods are behind one bridge, so the answer is bridged and never comes to IP, where its source would be translated back:
the client, which asked the Service's address, resets the connection. br_netfilter has to call iptables for bridged frames.

Kernel: net/bridge/br_netfilter_hooks.c, sysctl net.bridge.bridge-nf-call-iptables
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import host_of, losses
from kubectl_packetpath.snapshot.state import NotRecorded
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.settings import fact

PROBLEM = Problem(
    code="PP307",
    id="bridged-answer-is-not-translated",
    title="Answers between pods of one node come back with the endpoint's own address.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """The client is answered by another address, and the node does not show bridged frames to its rules."""
    for loss in losses(way):
        node = loss.path.hops[-1].node
        state = host_of(answer, node)
        if not loss.is_reply or loss.ending.verdict is not Verdict.REFUSED or state is None:
            continue
        name = "ip6tables" if loss.end.packet.family == 6 else "iptables"
        key = f"net/bridge/bridge-nf-call-{name}"
        try:
            value = state.sysctl(key)
        except NotRecorded:
            continue
        if value == "1":
            continue
        told = "br_netfilter is not loaded" if value is None else f"{key.replace('/', '.')} is {value}"
        yield PROBLEM.found(
            node,
            f"{told} on {node}, so the rules do not see the answer on the bridge",
            **loss.where,
            evidence=(fact(node, state, key),),
            remedy=("modprobe br_netfilter", f"sysctl -w {key.replace('/', '.')}=1")[value is not None :],
        )


CHECK = PROBLEM.check(look)
