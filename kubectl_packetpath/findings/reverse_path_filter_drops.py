"""The reverse path filter drops the packet.

The node would answer its sender by another device than the one by which it came, and rp_filter is strict: a node with two
networks, an asymmetric route, or a tunnel without a way back.

Kernel: net/ipv4/fib_frontend.c __fib_validate_source, counted as IPReversePathFilter in /proc/net/netstat
"""

import re
from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import losses

WAY_BACK = re.compile(r"the way back to (\S+) ")
PROBLEM = Problem(
    code="PP308",
    id="reverse-path-filter-drops",
    title="The reverse path filter drops the packet.",
)


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """Dropped for its source, by a setting of rp_filter."""
    for loss in losses(way):
        settings = tuple(fact for fact in loss.facts if fact.key.endswith("/rp_filter"))
        if not settings or not loss.filtered:
            continue
        route = next((fact.text for fact in loss.facts if fact.section == "route"), "no route at all")
        named = WAY_BACK.search(loss.ending.reason)
        source = named[1] if named is not None else loss.end.packet.innermost.source
        yield PROBLEM.found(
            loss.hop.node,
            f"the way back to {source} is: {route}",
            **loss.where,
            evidence=loss.facts,
            remedy=(
                loss.ending.remedy,
                f"ip route get {source}",
                "nstat -az IpExtInNoRoutes TcpExtIPReversePathFilter",
            ),
        )


CHECK = PROBLEM.check(look)
