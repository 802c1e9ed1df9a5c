"""All Services of a namespace, asked one after the other of the same nodes; each is told as soon as it is known."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import FAMILY_EXITS, Exit, fail, say, write
from kubectl_packetpath.cli.install import Permission, ready_agents
from kubectl_packetpath.cli.recorded import opened
from kubectl_packetpath.cluster.ask import AskError, find_node
from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.cluster.overview import NO_WAY, Row, services_of, target_of, worst
from kubectl_packetpath.cluster.question import Wish
from kubectl_packetpath.cluster.ways import expand
from kubectl_packetpath.render.machine import json_lines, yaml_lines
from kubectl_packetpath.render.overview import document, line_of, summary
from kubectl_packetpath.sources.api import Access, Api
from kubectl_packetpath.sources.apiserver import read_for_services
from kubectl_packetpath.sources.asking import Supplier, answer

EXITS = {**FAMILY_EXITS, NO_WAY: Exit.UNKNOWN}
"""By the worst row; where nothing at all could be asked, nothing is known, as for one such Service alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asks for."""

    everywhere: bool = False
    nodes: tuple[str, ...] = ()
    """Only these as entries; empty: all."""
    form: str = "table"


def live(access: Access, wanted: Wanted, *, yes: bool, image: str) -> int:
    """Of a live cluster."""
    api = Api.connect(access)
    home = "" if wanted.everywhere else api.namespace
    cluster = read_for_services(api, home)
    chosen = _chosen(cluster, home, wanted)
    with ready_agents(api, Permission(yes=yes, image=image)) as agents:
        return _Overview(cluster=cluster, supplier=agents, home=home, wanted=wanted).told(chosen)


def recorded(file: Path, namespace: str, wanted: Wanted) -> int:
    """Of a recording."""
    bundle, cluster = opened(file, namespace)
    home = "" if wanted.everywhere else cluster.namespace
    chosen = _chosen(cluster, home, wanted)
    return _Overview(cluster=cluster, supplier=bundle, home=home, wanted=wanted).told(chosen)


def _chosen(cluster: Cluster, home: str, wanted: Wanted) -> tuple[Service, ...]:
    """The Services to ask about; raises AskError where there are none, or where a node that is to be entered is not."""
    for name in wanted.nodes:
        find_node(cluster, name)
    chosen = services_of(cluster, home)
    if not chosen:
        where = f"Namespace {home}" if home else "The cluster"
        raise AskError(f"{where} has no Services.", "kubectl packetpath services -A" if home else "")
    return chosen


@dataclass(slots=True, kw_only=True)
class _Overview:
    cluster: Cluster
    supplier: Supplier
    home: str
    """The namespace; empty: all."""
    wanted: Wanted
    rows: list[Row] = field(default_factory=list)

    def told(self, chosen: tuple[Service, ...]) -> int:
        """Print all, and say with which code to exit."""
        write(self._table(chosen) if self.wanted.form == "table" else self._data(chosen))
        missing = self._missing()
        for name, why in sorted(missing.items()):
            say(f"{name} could not be looked at: {why}")
        starts = {w.question.start.node for row in self.rows if row.answer for w in row.answer.ways}
        if starts and starts <= missing.keys():
            fail("No node could be looked at.", "kubectl packetpath agent status", Exit.OUT_OF_REACH)
        return EXITS[worst(row.family for row in self.rows)]

    def _missing(self) -> dict[str, str]:
        return {
            name: why for row in self.rows if row.answer for name, why in row.answer.nodes_missing.items()
        }

    def _asked(self, chosen: tuple[Service, ...]) -> Iterator[Row]:
        for service in chosen:
            row = self._row(service)
            self.rows.append(row)
            yield row

    def _row(self, service: Service) -> Row:
        wish = Wish(target=target_of(service), nodes=self.wanted.nodes)
        try:
            expansion = expand(self.cluster, wish)
        except AskError as error:
            return Row(service=service, notes=(str(error),))
        if not expansion.questions:
            return Row(service=service, notes=expansion.notes)
        found = answer(str(wish.target), expansion, self.cluster, self.supplier)
        return Row(service=service, answer=found, notes=expansion.notes)

    def _table(self, chosen: tuple[Service, ...]) -> Iterator[str]:
        style, fully = options.style(), not self.home
        width = max(len(each.full_name if fully else each.name) for each in chosen)
        for row in self._asked(chosen):
            yield from line_of(row, width, style, named_fully=fully)
        yield from summary(self.rows, f"of {self.home}" if self.home else "of all namespaces", style)

    def _data(self, chosen: tuple[Service, ...]) -> Iterator[str]:
        rows = tuple(self._asked(chosen))
        told = document(rows, self._missing())
        yield from json_lines(told) if self.wanted.form == "json" else yaml_lines(told)
