"""What nodes show of the programs that enforce policies, and the policies' verdicts beside the walks.

Only what a walk has read of a node is looked at: nothing is asked for this alone.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from kubectl_packetpath.cluster.answer import Answered
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.policy.enforcement import Enforcement, NodeSigns, cni_types
from kubectl_packetpath.cluster.policy.judged import Judged, chains_of, judged
from kubectl_packetpath.cluster.policy.world import World
from kubectl_packetpath.snapshot.absent import Absent, Section
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState, NotRecorded

T = TypeVar("T")


def with_policies(ways: Iterable[Answered], cluster: Cluster, enforcement: Enforcement) -> list[Answered]:
    """These ways, with what policies say of each of their paths."""
    world = World.of(cluster)
    return [replace(way, policies=tuple(_judged(way, world, enforcement))) for way in ways]


def _judged(way: Answered, world: World, enforcement: Enforcement) -> Iterator[Judged | None]:
    for path in way.trace.paths:
        yield judged(way.question, way.trace.packet, path, world, enforcement)


def signs_of(ways: Iterable[Answered], node: Callable[[str], NodeState | None]) -> Iterator[NodeSigns]:
    """What the nodes that these ways touch show."""
    paths = [path for way in ways for path in way.trace.paths]
    for name in sorted({hop.node for path in paths for hop in path.hops if hop.node}):
        state = node(name)
        if state is not None:
            yield NodeSigns(
                node=name,
                tables=frozenset(_tables(state)),
                devices=frozenset(_devices(state)),
                chains=chains_of(paths, name) | frozenset(_base_chains(state)),
                cni=cni_types(state.snapshot.cni) if isinstance(state, RecordedNode) else (),
            )


def _tables(state: NodeState) -> Iterator[str]:
    yield from (table.name for table in _rows(state.host().nft_tables))


def _base_chains(state: NodeState) -> Iterator[str]:
    yield from (chain.name for chain in _rows(state.host().nft_base_chains))


def _devices(state: NodeState) -> Iterator[str]:
    yield from (link.name for link in _rows(state.host().links))


def _rows(read: Callable[[], Section[T]]) -> tuple[T, ...]:
    try:
        section = read()
    except NotRecorded:
        return ()
    return () if isinstance(section, Absent) else section
