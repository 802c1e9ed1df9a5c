"""A pod cannot reach itself through its Service.

The proxy chose the very pod that asked, and the bridge does not send a frame back out of the port by which it came:
hairpin mode is off there, and the bridge is not promiscuous.

Kernel: net/bridge/br_forward.c should_deliver
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import losses

PROBLEM = Problem(code="PP306", id="hairpin-is-off", title="A pod cannot reach itself through its Service.")


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """The bridge would have to send the frame back by the port that it came from."""
    for loss in losses(way):
        port = next(
            (fact for fact in loss.facts if fact.section == "link" and fact.text.endswith("hairpin off")),
            None,
        )
        if port is None:
            continue
        name, _, bridge, *_ = port.text.split()
        yield PROBLEM.found(
            loss.path.hops[0].namespace,
            f"the endpoint is the client itself, and {name} of {bridge} does not send frames back (hairpin off)",
            **loss.where,
            evidence=(port,),
            remedy=(
                f"bridge link set dev {name} hairpin on",
                'set "hairpinMode": true in the bridge plugin\'s CNI configuration',
            ),
        )


CHECK = PROBLEM.check(look)
