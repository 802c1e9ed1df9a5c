"""The node does not forward packets.

Pods on other nodes, and everything outside, are out of reach. A tool that hardens nodes, or a reload of sysctl.conf, has
set it back after the network was started.

Kernel: Documentation/networking/ip-sysctl.rst ip_forward, net/ipv4/ip_input.c
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import losses

PROBLEM = Problem(code="PP301", id="forwarding-is-off", title="The node does not forward packets.")
ENDS = ("ip_forward", "/forwarding")


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """Dropped for a setting of forwarding."""
    for loss in losses(way):
        off = tuple(
            fact
            for fact in loss.facts
            if fact.section == "sysctl" and fact.key.endswith(ENDS) and fact.text.endswith("= 0")
        )
        if not off:
            continue
        version = 6 if "ipv6" in off[0].key else 4
        key = off[0].text.split()[0]
        yield PROBLEM.found(
            loss.hop.node,
            f"{key} is 0 on {loss.hop.node}: it passes on no IPv{version} packets",
            **loss.where,
            evidence=off,
            remedy=(f"sysctl -w {key}=1", f"grep -r {key.split('.')[-1]} /etc/sysctl.conf /etc/sysctl.d"),
        )


CHECK = PROBLEM.check(look)
