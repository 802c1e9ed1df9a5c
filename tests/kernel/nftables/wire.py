"""A router whose nftables rules count packets made by hand, beside what the walk says of the same rules."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kernel.xtables.wire import DEADLINE_SECONDS, MACS, SEND, Sent, device

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.trace import Outcome, StepKind
from kubectl_packetpath.walk.conntrack import track
from kubectl_packetpath.walk.here import Here, Hook
from kubectl_packetpath.walk.nftables.chains import run_base
from kubectl_packetpath.walk.nftables.expressions.counter import Spec as Counted
from kubectl_packetpath.walk.nftables.program import program_of
from packetpath_agent.live import LiveNamespace
from packetpath_agent.netns import Found
from testbed.netns import Namespace, succeed


@dataclass(frozen=True, slots=True)
class Wire:
    """Client, router and a server that hears everything and answers nothing."""

    client: Namespace
    router: Namespace
    server: Namespace

    def load(self, ruleset: str, program: str = "nft -f -") -> None:
        """Replace the router's rules; the counters begin at zero."""
        succeed([*self.router.enter, "nft", "flush", "ruleset"])
        succeed([*self.router.enter, *program.split()], stdin=ruleset)

    def listed(self) -> str:
        """The rules in nft's own words."""
        return succeed([*self.router.enter, "nft", "list", "ruleset"])

    @contextmanager
    def state(self) -> Iterator[LiveNamespace]:
        """The router as its kernel is now."""
        found = Found(path=self.router.path, identity=self.router.path.stat().st_ino)
        state = LiveNamespace(found, is_host=True, pod=None)
        try:
            yield state
        finally:
            state.close()

    def here(self, state: LiveNamespace, hook: Hook) -> Here:
        """Where a forwarded packet stands."""
        came, goes = device(state, "r0"), device(state, "r1")
        return Here(
            node="router",
            state=state,
            hook=hook,
            in_device=came if hook in {Hook.PREROUTING, Hook.FORWARD, Hook.INPUT} else None,
            out_device=goes if hook in {Hook.FORWARD, Hook.POSTROUTING} else None,
        )

    def predicted(self, sent: Sent, name: str, hook: Hook = Hook.FORWARD) -> list[Outcome]:
        """What the walk says of one base chain."""
        with self.state() as state:
            here = self.here(state, hook)
            (tracked,) = track(here, sent.packet, None)
            return list(run_base(here, _chain(state, name), tracked.packet, None))

    def send(self, sent: Sent) -> None:
        """Put the packet on the client's wire."""
        line = f"{sent.packet.destination} {sent.data.hex()}\n"
        command = [*self.client.enter, sys.executable, "-c", SEND]
        subprocess.run(command, input=line, text=True, check=True, timeout=30)

    def counted(self) -> dict[str, int]:
        """Packets per rule that counts, `CHAIN/NUMBER`."""
        with self.state() as state:
            counts = {}
            for name in self._chain_names():
                chain = _chain(state, name) if name else None
                if chain is None or isinstance(chain.rules, Absent):
                    continue
                for number, raw in enumerate(chain.rules, start=1):
                    for each in program_of(raw):
                        if isinstance(each.spec, Counted):
                            counts[f"{chain.name}/{number}"] = each.spec.packets
            return counts

    def _chain_names(self) -> list[str]:
        lines = succeed([*self.router.enter, "nft", "list", "chains"]).splitlines()
        return [line.split()[1] for line in lines if line.strip().startswith("chain")]

    def observed(self, sent: Sent, sentinel: str) -> set[str]:
        """Send it: the rules that really counted the packet."""
        self.send(sent)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            counts = self.counted()
            if counts[sentinel]:
                return {rule for rule, packets in counts.items() if packets}
        raise TimeoutError(f"{sent.name} did not arrive")


def _chain(state: LiveNamespace, name: str) -> NftChain:
    """A chain by name, of whichever table has it."""
    tables = state.nft_tables()
    assert not isinstance(tables, Absent)
    for table in tables:
        chain = state.nft_chain(table.family, table.name, name)
        if not isinstance(chain, Absent):
            return chain
    raise LookupError(name)


def facts_of(outcome: Outcome) -> set[str]:
    """`CHAIN/NUMBER` of the rules that the packet met."""
    keys = (
        fact.key.partition("/")[2]
        for step in outcome.history or ()
        if step.kind is not StepKind.ASSUMED
        for fact in step.because
    )
    return {key for key in keys if not key.endswith("/policy")}


@contextmanager
def wires(name: str) -> Iterator[Wire]:
    """A wire that is gone afterwards."""
    made = Wire(*(Namespace(name=f"ppn-{name}-{role}") for role in ("client", "router", "server")))
    every = (made.client, made.router, made.server)
    for namespace in every:
        if namespace.exists():
            namespace.delete()
        namespace.create()
    try:
        _connect(made)
        yield made
    finally:
        for namespace in every:
            namespace.delete()


def _connect(made: Wire) -> None:
    for left, right, there in (("c0", "r0", made.client), ("s0", "r1", made.server)):
        made.router.ip(
            f"link add {right} address {MACS[right]} type veth peer name {left} address {MACS[left]} netns {there.name}"
        )
    for namespace in (made.client, made.router, made.server):
        quiet = {"net/ipv6/conf/default/accept_dad": 0, "net/ipv6/conf/all/accept_dad": 0}
        forward = {"net/ipv6/conf/all/forwarding": 1, "net/ipv4/ip_forward": 1}
        namespace.sysctls({**quiet, **forward, "net/ipv4/conf/all/rp_filter": 0})
    for namespace, link, host, peer, peer_mac in (
        (made.client, "c0", "1.2 1::2", "1.1 1::1", MACS["r0"]),
        (made.server, "s0", "2.2 2::2", "2.1 2::1", MACS["r1"]),
        (made.router, "r0", "1.1 1::1", "1.2 1::2", MACS["c0"]),
        (made.router, "r1", "2.1 2::1", "2.2 2::2", MACS["s0"]),
    ):
        own4, own6 = host.split()
        peer4, peer6 = peer.split()
        namespace.ip(
            f"addr add 10.77.{own4}/24 dev {link}",
            f"addr add fd77:{own6}/64 dev {link} nodad",
            f"link set {link} up",
            f"neigh replace 10.77.{peer4} lladdr {peer_mac} dev {link} nud permanent",
            f"neigh replace fd77:{peer6} lladdr {peer_mac} dev {link} nud permanent",
        )
        if namespace is not made.router:
            namespace.ip(f"route add default via 10.77.{peer4}", f"route add ::/0 via fd77:{peer6}")
            quiet_rules = "table inet quiet { chain c { type filter hook prerouting priority -400; drop; }; }"
            succeed([*namespace.enter, "nft", "-f", "-"], stdin=quiet_rules)
