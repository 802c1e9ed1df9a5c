"""Rules that are gone, or that somebody else made; and a connection table that is full."""

import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.control import Node, Place
from testbed.faults.base import Mend

TESTS = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFlushed:
    """A chain of iptables has lost its rules."""

    node: Node
    table: str
    chain: str
    version: int = 4

    def apply(self) -> Mend:
        """The table comes back as it was."""
        program = "iptables" if self.version == 4 else "ip6tables"
        saved = self.node.run([f"{program}-save", "-c", "-t", self.table])
        self.node.run([program, "-w", "-t", self.table, "-F", self.chain])
        return partial(self.node.run, [f"{program}-restore", "-w", "-c"], saved)


@dataclass(frozen=True, slots=True, kw_only=True)
class NftChainFlushed:
    """A chain of nftables has lost its rules."""

    node: Node
    table: str
    """With its family: `ip kube-proxy`."""
    chain: str

    def apply(self) -> Mend:
        """The chain's rules come back; counters start anew."""
        family, table = self.table.split()
        saved = self.node.run(["nft", "list", "chain", family, table, self.chain])
        flush = f"flush chain {family} {table} {self.chain}\n"
        self.node.run(["nft", "-f", "-"], flush)
        return partial(self.node.run, ["nft", "-f", "-"], flush + saved)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRule:
    """A rule that somebody else put first in a chain of iptables."""

    node: Place
    chain: str
    rule: str
    """As iptables takes it: `-p tcp --dport 8080 -j DROP`."""
    table: str = "filter"
    version: int = 4
    program: str = ""
    """Such as `iptables-legacy` on a node of the nft back end; empty for the node's own."""

    def apply(self) -> Mend:
        """First in its chain."""
        program = self.program or ("iptables" if self.version == 4 else "ip6tables")
        call = [program, "-w", "-t", self.table]
        self.node.run([*call, "-I", self.chain, "1", *self.rule.split()])
        return partial(self.node.run, [*call, "-D", self.chain, *self.rule.split()])


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTable:
    """A table of nftables that somebody else made."""

    place: Place
    rule: str
    """As nft takes it: `tcp dport 8080 drop`."""
    hook: str = "forward"
    priority: int = -10
    name: str = "foreign"

    def apply(self) -> Mend:
        """One base chain with one rule."""
        base = f"type filter hook {self.hook} priority {self.priority}; policy accept;"
        chain = f"chain main {{\n{base}\n{self.rule}\n}}\n"
        self.place.run(["nft", "-f", "-"], f"table inet {self.name} {{\n{chain}}}\n")
        return partial(self.place.run, ["nft", "delete", "table", "inet", self.name])


@dataclass(frozen=True, slots=True, kw_only=True)
class ConntrackFull:
    """The connection table of a node is full, so that it drops what is new.

    How many entries a namespace may have is set for the whole machine, so the table is really filled.
    """

    node: Place

    def apply(self) -> Mend:
        """Entries of our own, which are told by their mark when they are removed."""
        self._probe("fill")
        return partial(self._probe, "empty")

    def _probe(self, verb: str) -> None:
        python = [
            "env",
            f"PYTHONPATH={TESTS}",
            sys.executable,
            "-s",
            "-S",
            "-m",
            "testbed.probes.conntrack",
            verb,
        ]
        subprocess.run([*self.node.network_prefix, *python], check=True, timeout=120)
