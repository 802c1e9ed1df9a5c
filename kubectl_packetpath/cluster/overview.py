"""All Services of a namespace at a glance: of each, how many of its ways in arrive."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.ask import Target, TargetKind
from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.trace import WORST_FIRST

NO_WAY = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One Service and what was found of it."""

    service: Service
    answer: Answer | None = None
    """None: it has no way in that could be asked about."""
    notes: tuple[str, ...] = ()
    """What has to be said beside, such as why it has no way in."""

    @property
    def ways(self) -> Mapping[str, int]:
        """How many ways in arrive, are lost, or are unknown."""
        counted = Counter(way.family for way in self.answer.ways) if self.answer is not None else Counter()
        return {family: counted[family] for family in ("arrived", "lost", "unknown")}

    @property
    def family(self) -> str:
        """`arrived`, `lost` or `unknown`, of its worst way in, or `none`."""
        return self.answer.family if self.answer is not None and self.answer.ways else NO_WAY


def target_of(service: Service) -> Target:
    """The Service as a target."""
    return Target(kind=TargetKind.SERVICE, namespace=service.namespace, name=service.name)


def services_of(cluster: Cluster, namespace: str) -> tuple[Service, ...]:
    """Those of a namespace, or all of them, by name."""
    chosen = (each for each in cluster.services if namespace in {"", each.namespace})
    return tuple(sorted(chosen, key=lambda each: (each.namespace, each.name)))


def worst(families: Iterable[str]) -> str:
    """Of several: lost before unknown before arrived; `none` where nothing was asked."""
    present = set(families)
    return next((family for family in WORST_FIRST if family in present), NO_WAY)


def counts(rows: Iterable[Row]) -> Iterator[tuple[str, int]]:
    """How many Services there are of each family, the worst first."""
    counted = Counter(row.family for row in rows)
    yield from ((family, counted[family]) for family in (*WORST_FIRST, NO_WAY) if counted[family])
