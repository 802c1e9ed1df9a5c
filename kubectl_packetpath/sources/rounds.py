"""Walks over nodes that are asked for more, round after round, until every walk has its end.

An agent that keeps leaving out what it was asked for (its rules change faster than it reads them, or it is of another
version) must cost an answer only where it matters: that walk ends UNKNOWN, and says what it still missed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kubectl_packetpath.trace import Budget, Ending, Hop, Path, Step, StepKind, Trace, Verdict
from kubectl_packetpath.walk.budget import budget
from kubectl_packetpath.walk.cluster import Cluster, Need, NeedMoreError, Query, trace

MOST_ROUNDS = 32
MOST_IN_VAIN = 5
"""Rounds that may bring nothing new before it is given up."""
Missed = Mapping[int, tuple[Need, ...]]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where walks find the nodes, and what they miss of them."""

    world: Callable[[], Cluster]
    """What is known by now."""
    more: Callable[[tuple[Need, ...]], None]
    """Has it found out."""
    pause_seconds: float
    """Before it is asked the same a second time, and each time as much longer."""


def walked(queries: Sequence[Query], source: Source) -> list[Trace]:
    """The trace of each query; what all of them miss is fetched in one round."""
    done, missed = _fed(trace, queries, source)
    return [done.get(number) or _unfinished(query, number, missed) for number, query in enumerate(queries)]


def budgets(queries: Sequence[Query], source: Source) -> list[Budget | None]:
    """How long the packets of each query may be; None: the nodes' state keeps changing."""
    done, _ = _fed(budget, queries, source)
    return [done.get(number) for number in range(len(queries))]


def _fed(
    look: Callable[[Query, Cluster], Found], queries: Sequence[Query], source: Source
) -> tuple[dict[int, Found], Missed]:
    """What is found of each query, by its number, and what the others still miss."""
    done: dict[int, Found] = {}
    missed: dict[int, tuple[Need, ...]] = {}
    before: tuple[Need, ...] = ()
    in_vain = 0
    for _ in range(MOST_ROUNDS):
        needs: list[Need] = []
        cluster = source.world()
        for number, query in enumerate(queries):
            if number in done:
                continue
            try:
                done[number] = look(query, cluster)
            except NeedMoreError as missing:
                missed[number] = missing.needs
                needs = [*needs, *(need for need in missing.needs if need not in needs)]
        in_vain = in_vain + 1 if tuple(needs) == before else 0
        before = tuple(needs)
        if not needs or in_vain >= MOST_IN_VAIN:
            break
        time.sleep(source.pause_seconds * in_vain)
        source.more(before)
    return done, missed


def _unfinished(query: Query, number: int, missed: Missed) -> Trace:
    """What can be said of a walk that was never given all that it touches."""
    needs = missed.get(number, ())
    node = needs[0].node if needs else query.place.node
    missing = "; ".join(dict.fromkeys(f"{need.node}: {need.missing or 'its state'}" for need in needs))
    reason = f"the walk was asked for again and again, and still misses {missing or 'something'}"
    step = Step(kind=StepKind.ASSUMED, text=reason)
    path = Path(
        weight=None,
        hops=(Hop(node=node, namespace="host", steps=(step,)),),
        packet=needs[0].start.packet if needs else query.packet,
        ending=Ending(verdict=Verdict.UNKNOWN, reason=reason, remedy="kubectl packetpath agent status"),
    )
    return Trace(title=query.title, node=query.place.node, packet=query.packet, paths=(path,))
