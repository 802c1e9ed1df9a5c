"""Where policies and the kernel part: denied, and yet it got through."""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answered
from kubectl_packetpath.cluster.policy.judged import Judged
from kubectl_packetpath.cluster.policy.verdict import Says
from kubectl_packetpath.trace import Verdict

REACHED = frozenset({Verdict.DELIVERED, Verdict.LEFT_CLUSTER, Verdict.REFUSED})
"""Ends that a packet comes to only if nobody stopped it; one that nothing listens for was not stopped either."""


def passed_though_denied(way: Answered) -> Iterator[tuple[int, Judged]]:
    """The paths that policies deny and that get through for certain, by their number."""
    for number, (path, judged) in enumerate(zip(way.trace.paths, way.policies, strict=False)):
        if judged is None or judged.verdict.says is not Says.DENIED:
            continue
        if path.weight and path.ending.verdict in REACHED:
            yield number, judged
