"""How long a packet may be on its whole way: the MTU budget.

The same walk is asked again with other lengths, so what it says holds for every rule, tunnel and wire on the way.
"""

from dataclasses import replace

from kubectl_packetpath.trace import Budget, Ending, Path, StepKind, Verdict
from kubectl_packetpath.walk.cluster import Cluster, Query, trace

LEAST, MOST = {4: 68, 6: 1280}, 65535
TRANSPORT_BYTES = {6: 20, 17: 8}


def budget(query: Query, cluster: Cluster) -> Budget:
    """The longest packet that arrives on every path of this question, and whose answer of that length comes back."""
    family = query.packet.family
    shortest = LEAST[family]
    if _lost(query, cluster, shortest) is not None:
        return Budget(packet_bytes=None, payload_bytes=None, limit=_words(_lost(query, cluster, shortest)))
    low, high = shortest, MOST
    while low < high:
        middle = (low + high + 1) // 2
        if _lost(query, cluster, middle) is None:
            low = middle
        else:
            high = middle - 1
    head = (20 if family == 4 else 40) + TRANSPORT_BYTES.get(query.packet.protocol, 0)
    limit = _words(_lost(query, cluster, low + 1)) if low < MOST else ""
    return Budget(
        packet_bytes=low,
        payload_bytes=low - head,
        limit=limit,
        pieces_from=_first_cut(query, cluster, shortest, low),
    )


def _paths(query: Query, cluster: Cluster, size: int) -> tuple[Path, ...]:
    packet = replace(query.packet, size_bytes=size, dont_fragment=True)
    return trace(replace(query, packet=packet), cluster).paths


def _lost(query: Query, cluster: Cluster, size: int) -> Ending | None:
    """How a packet of this length, or the answer of the same length, is lost for its length on one of its paths."""
    for path in _paths(query, cluster, size):
        for way in (path, path.reply):
            if way is not None and way.weight != 0 and way.ending.verdict is Verdict.TOO_BIG:
                return way.ending
    return None


def _words(ending: Ending | None) -> str:
    return "" if ending is None else ending.reason


def _is_cut(query: Query, cluster: Cluster, size: int) -> bool:
    ways = [way for path in _paths(query, cluster, size) for way in (path, path.reply) if way is not None]
    return any(step.kind is StepKind.FRAGMENTED for way in ways for step in way.steps)


def _first_cut(query: Query, cluster: Cluster, low: int, high: int) -> int | None:
    if not _is_cut(query, cluster, high):
        return None
    while low < high:
        middle = (low + high) // 2
        if _is_cut(query, cluster, middle):
            high = middle
        else:
            low = middle + 1
    return low
