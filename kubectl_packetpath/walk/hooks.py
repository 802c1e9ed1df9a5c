"""One netfilter hook: conntrack, NAT and every base chain of every back end that hangs there.

An accept ends one base chain only, a drop is final. NAT chains are walked as a whole, at NAT's own
priority, and only for the first packet of a connection.

Kernel: net/netfilter/core.c, nf_nat_core.c nf_nat_inet_fn, nf_nat_proto.c, nf_conntrack_proto.c
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.packet import Packet, State
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.nftables import (
    NFPROTO_BRIDGE,
    NFPROTO_INET,
    NFPROTO_IPV4,
    NFPROTO_IPV6,
    NftChain,
)
from kubectl_packetpath.snapshot.xtables import LegacyTable
from kubectl_packetpath.trace import History, Outcome, Step, StepKind, told
from kubectl_packetpath.walk import errors, ipvs, nat
from kubectl_packetpath.walk.here import Here, Hook, Outcomes, go_on, scaled
from kubectl_packetpath.walk.nat import Manipulation
from kubectl_packetpath.walk.nftables.chains import run_base as run_nft
from kubectl_packetpath.walk.order import Function, call_all
from kubectl_packetpath.walk.xtables.chains import run_base as run_legacy

CONNTRACK_PRIORITY = -200
NAT_PRIORITY = {Hook.PREROUTING: -100, Hook.OUTPUT: -100, Hook.INPUT: 100, Hook.POSTROUTING: 100}
DESTINATION_HOOKS = {Hook.PREROUTING, Hook.OUTPUT}
LEGACY_PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
DORMANT = 0x1
NFPROTO = {4: NFPROTO_IPV4, 6: NFPROTO_IPV6}
FAMILY_NAMES = {NFPROTO_INET: "inet", NFPROTO_IPV4: "ip", NFPROTO_IPV6: "ip6", NFPROTO_BRIDGE: "bridge"}


def run_hook(here: Here, packet: Packet, history: History | None) -> Outcomes:
    """Everything at `here.hook`; a branch whose verdict is `reroute` has to be routed again (OUTPUT only)."""
    outcome = go_on(packet, history)
    functions: list[Function] = []
    for doubt in _unread(here):
        outcome = _doubted(outcome, doubt)
    functions += _legacy(here, packet.family)
    functions += _nft(here, packet.family)
    functions += _connections(here, packet.family)
    functions += ipvs.functions(here, packet)
    yield from call_all(here, functions, outcome)


def run_bridge_hook(here: Here, packet: Packet, history: History | None, *, late: bool) -> Outcomes:
    """The bridge family's base chains: those before br_netfilter, or (late) those after it."""
    functions = [
        _function(chain)
        for chain in _base_chains(here)
        if chain.family == NFPROTO_BRIDGE and _hangs_here(here, chain) and (_priority(chain) > 0) == late
    ]
    yield from call_all(here, functions, go_on(packet, history))


class _NftRunner:
    """One nft base chain as a function of a hook."""

    def __init__(self, chain: NftChain) -> None:
        self.chain = chain

    def __call__(self, here: Here, packet: Packet, history: History | None) -> Outcomes:
        """Walk it."""
        return run_nft(here, self.chain, packet, history)


class _LegacyRunner:
    """One legacy table's chain as a function of a hook."""

    def __init__(self, table: LegacyTable) -> None:
        self.table = table

    def __call__(self, here: Here, packet: Packet, history: History | None) -> Outcomes:
        """Walk it."""
        return run_legacy(here, self.table.family, self.table, packet, history)


def _unread(here: Here) -> Iterator[str]:
    """Back ends whose rules could not be read, though the kernel may have some."""
    sections = {"legacy tables": here.state.legacy_tables(), "nft chains": here.state.nft_base_chains()}
    for subject, section in sections.items():
        if isinstance(section, Absent) and section.why is not Why.NOT_LOADED:
            yield f"{here.node}: the {subject} could not be read: {section.detail or section.why.value}"


def _doubted(outcome: Outcome, text: str) -> Outcome:
    if outcome.history is not None and any(step.text == text for step in outcome.history):
        return replace(outcome, weight=None)
    step = Step(kind=StepKind.ASSUMED, text=text)
    return replace(outcome, weight=None, history=told(outcome.history, step))


def _legacy_tables(here: Here, family: int) -> Iterator[LegacyTable]:
    tables = here.state.legacy_tables()
    for table in () if isinstance(tables, Absent) else tables:
        if table.family == family and table.valid_hooks >> here.hook & 1:
            yield table


def _base_chains(here: Here) -> tuple[NftChain, ...]:
    chains, tables = here.state.nft_base_chains(), here.state.nft_tables()
    if isinstance(chains, Absent):
        return ()
    asleep = {
        (table.family, table.name)
        for table in (() if isinstance(tables, Absent) else tables)
        if table.flags & DORMANT
    }
    return tuple(chain for chain in chains if (chain.family, chain.table) not in asleep)


def _hangs_here(here: Here, chain: NftChain) -> bool:
    return chain.hook is not None and chain.hook.number == here.hook


def _is_ours(here: Here, chain: NftChain, family: int) -> bool:
    return chain.family in {NFPROTO_INET, NFPROTO[family]} and _hangs_here(here, chain)


def _priority(chain: NftChain) -> int:
    return chain.hook.priority if chain.hook is not None else 0


def _title(chain: NftChain) -> str:
    return f"{FAMILY_NAMES.get(chain.family, chain.family)} {chain.table}/{chain.name}"


def _function(chain: NftChain) -> Function:
    return Function(
        priority=_priority(chain),
        title=_title(chain),
        run=_NftRunner(chain),
        table=(chain.family, chain.table),
        handle=chain.handle,
    )


def _legacy(here: Here, family: int) -> Iterator[Function]:
    ranks = _ranks(here, family)
    for table in _legacy_tables(here, family):
        if table.name in LEGACY_PRIORITIES:
            priority = LEGACY_PRIORITIES[table.name]
            yield Function(
                priority=priority,
                title=f"iptables-legacy {table.name}",
                run=_LegacyRunner(table),
                reroutes=table.name == "mangle" and here.hook is Hook.OUTPUT,
                rank=ranks.get(("", priority)),
            )


def _nft(here: Here, family: int) -> Iterator[Function]:
    ranks = _ranks(here, family)
    for chain in _base_chains(here):
        if _is_ours(here, chain, family) and chain.hook is not None and chain.hook.type != "nat":
            rank = ranks.get((_title(chain), chain.hook.priority))
            yield replace(_function(chain), reroutes=chain.hook.type == "route", rank=rank)


def _ranks(here: Here, family: int) -> dict[tuple[str, int], int]:
    """The kernel's calling order, by chain (empty for a legacy table) and priority."""
    hooks = here.state.registered_hooks()
    if isinstance(hooks, Absent):
        return {}
    ranks = {}
    for place, entry in enumerate(hooks):
        if entry.hook != here.hook or entry.family not in {NFPROTO[family], NFPROTO_INET, family}:
            continue
        if entry.chain:
            name = FAMILY_NAMES.get(entry.chain_family or entry.family, "")
            ranks[f"{name} {entry.table}/{entry.chain}", entry.priority] = place
        elif entry.module in {"ip_tables", "ip6_tables", "iptable_filter", "ip6table_filter", "x_tables"}:
            ranks["", entry.priority] = place
    return ranks


def _connections(here: Here, family: int) -> Iterator[Function]:
    """Conntrack and NAT, where this namespace has them."""
    chains = tuple(_nat_functions(here, family))
    has_nat = bool(chains) or _nat_somewhere(here, family) or bool(here.connections) or here.ask_table
    if not has_nat and not here.state.conntrack_active():
        return
    if here.hook in {Hook.PREROUTING, Hook.OUTPUT}:
        yield Function(priority=CONNTRACK_PRIORITY, title="conntrack", run=errors.track)
    if has_nat and here.hook in NAT_PRIORITY:
        yield Function(
            priority=NAT_PRIORITY[here.hook],
            title="nat",
            run=_Translator(chains),
            reroutes=here.hook is Hook.OUTPUT,
            by_destination=True,
        )


def _nat_somewhere(here: Here, family: int) -> bool:
    """Once there is any NAT chain, mappings are applied at all four hooks."""
    tables = here.state.legacy_tables()
    legacy = () if isinstance(tables, Absent) else tables
    return any(table.name == "nat" and table.family == family for table in legacy) or any(
        chain.hook is not None
        and chain.hook.type == "nat"
        and chain.family in {NFPROTO_INET, NFPROTO[family]}
        for chain in _base_chains(here)
    )


def _nat_functions(here: Here, family: int) -> Iterator[Function]:
    """NAT chains: among themselves by their own priority, as a whole at NAT's."""
    for table in _legacy_tables(here, family):
        if table.name == "nat":
            priority = NAT_PRIORITY.get(here.hook, 0)
            yield Function(priority=priority, title="iptables-legacy nat", run=_LegacyRunner(table))
    for chain in _base_chains(here):
        if _is_ours(here, chain, family) and chain.hook is not None and chain.hook.type == "nat":
            yield _function(chain)


class _Translator:
    """NAT at one hook: walk the chains for a new connection, repeat the stored mapping for another."""

    def __init__(self, chains: tuple[Function, ...]) -> None:
        self.chains = chains

    def __call__(self, here: Here, packet: Packet, history: History | None) -> Outcomes:
        """Translate."""
        connection = packet.connection
        manipulation = Manipulation.DESTINATION if here.hook in DESTINATION_HOOKS else Manipulation.SOURCE
        if connection is None or connection.state in {State.INVALID, State.UNTRACKED}:
            yield go_on(packet, history)
        elif connection.confirmed:
            yield nat.repeat(here, packet, history, manipulation)
        elif _is_settled(packet, manipulation):
            yield go_on(packet, history)
        else:
            yield from self._decide(here, go_on(packet, history), manipulation)

    def _decide(self, here: Here, outcome: Outcome, manipulation: Manipulation) -> Outcomes:
        guarded = [replace(chain, run=_UntilSettled(chain, manipulation)) for chain in self.chains]
        for result in call_all(here, guarded, outcome):
            connection = result.packet.connection
            if result.ending is not None or connection is None:
                yield result
                continue
            packet = replace(result.packet, connection=nat.settled(connection, manipulation))
            yield replace(result, packet=packet, weight=scaled(outcome.weight, result.weight))


class _UntilSettled:
    """A NAT chain, skipped once an earlier one has decided."""

    def __init__(self, chain: Function, manipulation: Manipulation) -> None:
        self.chain = chain
        self.manipulation = manipulation

    def __call__(self, here: Here, packet: Packet, history: History | None) -> Outcomes:
        """Walk it, unless there is a mapping already."""
        if _is_settled(packet, self.manipulation):
            yield go_on(packet, history)
            return
        yield from self.chain.run(here, packet, history)


def _is_settled(packet: Packet, manipulation: Manipulation) -> bool:
    connection = packet.connection
    if connection is None:
        return True
    return connection.dnat_done if manipulation is Manipulation.DESTINATION else connection.snat_done
