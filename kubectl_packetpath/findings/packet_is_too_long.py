"""A packet is too long for a device on its way.

The MTU of a tunnel, a node's own device or a pod does not fit to the others: what a tunnel adds (50 bytes for VXLAN) has to
fit into the network below. Small packets get through, so connections open, and hang as soon as much is sent. Where the
sender is told, it sends less from then on; where nobody tells it, it never gets through.

Kernel: net/ipv4/ip_forward.c ip_exceeds_mtu, drivers/net/veth.c; RFC 1191
"""

import re
from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import Loss, known, losses, state_at
from kubectl_packetpath.trace import Fact, Verdict

PROBLEM = Problem(
    code="PP310",
    id="packet-is-too-long",
    title="A packet is too long for a device on its way.",
)
WORDS = re.compile(r"^(\d+) bytes do not fit into the (\d+) of (\S+?)(?: of (\S+?))?[,:;]")


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A way that ends at a device whose MTU is less than the packet's length."""
    for loss in losses(way):
        words = WORDS.match(loss.ending.reason) if loss.ending.verdict is Verdict.TOO_BIG else None
        if words is None:
            continue
        length, limit, device, node = words.groups()
        place = node or loss.hop.node
        told = "its sender is told to send at most" in loss.ending.reason
        yield PROBLEM.found(
            place,
            f"{length} bytes do not fit into the {limit} of {device} on {place}, "
            + ("and the sender is told" if told else "and the sender is never told"),
            **loss.where | {"node": place},
            evidence=_evidence(answer, loss, device, place),
            remedy=(f"ip link show dev {device}", f"ip link set dev {device} mtu {length}"),
        )


def _evidence(answer: Answer, loss: Loss, device: str, node: str) -> tuple[Fact, ...]:
    """The device as `ip link` prints it, where it was read."""
    state = state_at(answer, loss.hop) if node == loss.hop.node else None
    links = known(state.links) if state is not None else None
    link = next((each for each in links or () if each.name == device), None)
    if link is None:
        return loss.facts
    return (Fact(section="link", key=f"{node} link {device}", text=f"{device} mtu {link.mtu}"),)


CHECK = PROBLEM.check(look)
