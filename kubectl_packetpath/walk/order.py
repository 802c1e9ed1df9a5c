"""What the kernel calls at a hook, in which order: chains of every back end by priority.

Chains of one priority run in an order that the kernel does not always show. Within one nft table the handles tell it:
the chain that was made last runs first. Otherwise it matters only if two of them act on this packet and do not
commute: then every order is walked and the outcome is marked as assumed.

Kernel: net/netfilter/core.c nf_hook_entries_grow (of one priority the last one registered runs first),
nft_chain_route.c nf_route_table_hook6, nf_nat_proto.c nf_nat_ipv4_local_fn
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import History, Outcome, Step, StepKind, Verdict, told
from kubectl_packetpath.walk.here import Here, Outcomes, ended, go_on, scaled
from kubectl_packetpath.walk.output_route import route_again

MOST_ORDERS = 6
SENT_ON = "sent on"
"""The verdict of a function that has taken the packet to send it on by itself (NF_STOLEN): no later one sees it."""

Runner = Callable[[Here, Packet, History | None], Outcomes]
_End = tuple[str, str, Packet, Packet | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function that the kernel calls at a hook."""

    priority: int
    title: str
    """`iptables-legacy filter`, `ip kube-proxy/filter-input`, …"""
    run: Runner
    reroutes: bool = False
    """At OUTPUT, a change of mark, addresses, tos or IPv6's hop limit by it makes the kernel look for another way."""
    by_destination: bool = False
    """For that, only a new destination counts: NAT's chains may set marks that no routing sees."""
    rank: int | None = None
    """Place in the kernel's own list, where that could be read."""
    table: tuple[int, str] | None = None
    """Family and name of its nft table, in which"""
    handle: int = 0
    """tells which chain was made first."""


def call_all(here: Here, functions: Iterable[Function], outcome: Outcome) -> Outcomes:
    """Let the functions see the packet in the kernel's order; a branch that ends is not shown to later ones."""
    groups = [
        list(group)
        for _, group in groupby(sorted(functions, key=lambda f: f.priority), key=lambda f: f.priority)
    ]
    yield from _through(here, groups, 0, outcome)


def _through(here: Here, groups: Sequence[list[Function]], index: int, outcome: Outcome) -> Outcomes:
    if outcome.ending is not None or outcome.verdict == SENT_ON or index == len(groups):
        yield outcome
        return
    for onward in _group(here, groups[index], outcome):
        yield from _through(here, groups, index + 1, onward)


def _group(here: Here, functions: list[Function], outcome: Outcome) -> Outcomes:
    """Functions of one priority."""
    if all(function.rank is not None for function in functions):
        functions = sorted(functions, key=lambda function: function.rank or 0)
        yield from _one_order(here, functions, 0, outcome)
        return
    orders = list(islice(_interleaved(_tables(functions)), MOST_ORDERS))
    first, touched = _listed_order(here, orders[0], outcome)
    if len(orders) == 1 or not touched:
        yield from first
        return
    yield from _orders(here, orders, outcome, first)


def _tables(functions: Iterable[Function]) -> list[tuple[Function, ...]]:
    """The functions whose order is known, in that order; each of the others alone."""
    found: dict[object, list[Function]] = {}
    for number, function in enumerate(functions):
        found.setdefault(function.table or number, []).append(function)
    return [tuple(sorted(each, key=lambda function: -function.handle)) for each in found.values()]


def _interleaved(lines: Sequence[tuple[Function, ...]]) -> Iterator[tuple[Function, ...]]:
    """Every order that keeps the order of each line."""
    waiting = [line for line in lines if line]
    if not waiting:
        yield ()
    for number, line in enumerate(waiting):
        rest = [*waiting[:number], line[1:], *waiting[number + 1 :]]
        for others in _interleaved(rest):
            yield line[0], *others


def _listed_order(here: Here, functions: Sequence[Function], outcome: Outcome) -> tuple[list[Outcome], bool]:
    """What the functions do as listed, and whether any of them did something, even if a later one undid it."""
    branches, touched = [outcome], False
    for function in functions:
        onward: list[Outcome] = []
        for branch in branches:
            if branch.ending is not None or branch.verdict == SENT_ON:
                onward.append(branch)
                continue
            results = list(_call(here, function, branch))
            touched = touched or not all(_untouched(branch, result) for result in results)
            onward += results
        branches = onward
    return branches, touched


def _untouched(before: Outcome, after: Outcome) -> bool:
    return after.ending is None and after.packet == before.packet and after.weight == before.weight


def _orders(
    here: Here, orders: Sequence[Sequence[Function]], outcome: Outcome, first: list[Outcome]
) -> Outcomes:
    """All orders, if they differ; otherwise the first."""
    others = [list(_one_order(here, order, 0, outcome)) for order in orders[1:]]
    if all(_alike(first) == _alike(other) for other in others):
        yield from first
        return
    titles = " and ".join(function.title for function in orders[0])
    text = f"{here.node} {here.hook.name}: {titles} have one priority, and which runs first is not to be seen"
    step = Step(kind=StepKind.ASSUMED, text=text)
    doubtful = replace(outcome, weight=None, history=told(outcome.history, step))
    seen: list[list[_End]] = []
    for order in orders:
        results = list(_one_order(here, order, 0, doubtful))
        if _alike(results) not in seen:
            seen.append(_alike(results))
            yield from results


def _alike(results: Iterable[Outcome]) -> list[_End]:
    """How they end, with what the sender is told of it, and where they go on, with what they were routed as."""
    return [(*_told(each), each.packet, each.routed_as) for each in results]


def _told(result: Outcome) -> tuple[str, str]:
    if result.ending is None:
        return "", ""
    rejected = result.ending.verdict is Verdict.REJECTED
    return result.ending.verdict.value, result.ending.reason if rejected else ""


def _one_order(here: Here, functions: Sequence[Function], index: int, outcome: Outcome) -> Outcomes:
    if outcome.ending is not None or outcome.verdict == SENT_ON or index == len(functions):
        yield outcome
        return
    for onward in _call(here, functions[index], outcome):
        yield from _one_order(here, functions, index + 1, onward)


def _call(here: Here, function: Function, outcome: Outcome) -> Iterator[Outcome]:
    """One function. Where it makes the kernel look for another way, that is done at once: later ones may never see it."""
    for result in function.run(here, outcome.packet, outcome.history):
        now = function.reroutes and _changed(function, outcome.packet, result.packet)
        again = now or outcome.verdict == "reroute"
        onward = "reroute" if again else "accept"
        branch = replace(
            result,
            weight=scaled(outcome.weight, result.weight),
            verdict=SENT_ON if result.verdict == SENT_ON else onward,
            routed_as=result.packet if now else outcome.routed_as,
        )
        yield _without_way(here, branch) if now and branch.ending is None else branch


def _without_way(here: Here, branch: Outcome) -> Outcome:
    """The branch, ended where no way is found for it."""
    decisions = list(route_again(here, branch.packet))
    lost = [each for each in decisions if each.ending is not None]
    if len(lost) < len(decisions) or not lost or lost[0].ending is None:
        return branch
    return ended(branch, lost[0].ending, because=lost[0].because)


def _changed(function: Function, before: Packet, after: Packet) -> bool:
    if function.by_destination:
        return before.destination != after.destination
    return _routed_by(before) != _routed_by(after)


def _routed_by(packet: Packet) -> tuple[object, ...]:
    hop_limit = packet.ttl if packet.family == 6 else None
    return packet.source, packet.destination, packet.mark, packet.tos, hop_limit


def start(packet: Packet, history: History | None) -> Outcome:
    """The packet as it comes to a hook."""
    return go_on(packet, history)
