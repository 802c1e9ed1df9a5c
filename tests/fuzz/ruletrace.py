"""The kernel's own trace of nftables rules, beside the steps of the walk, rule by rule.

Rules that decide (a verdict, a jump, a return) must be the same in the same order. A rule that only does
something may be left out by the walk if it has nothing to tell, but it may not tell of one that did not match.
"""

from fuzz.wire import RULE, Traced

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.netlink import attribute_map
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import StepKind
from kubectl_packetpath.walk import explore

HANDLE = 3
CONTINUE, BREAK = -1, -2
DECIDING = {StepKind.JUMPED, StepKind.RETURNED, StepKind.DROPPED, StepKind.REJECTED}
OBSERVER = "observer"
INET, IPV4, IPV6 = 1, 2, 10


def agrees_with_trace(
    state: NamespaceState, path: explore.NodePath, traced: list[Traced]
) -> tuple[str | None, int]:
    """What differs, and how many rules were compared.

    No dump shows whether a legacy table or its namesake on the nft back end comes first: where the packet's end is
    the same either way, the walk tells of one order, and the kernel may have taken the other.
    """
    sections = {fact.section for hop in path.hops for step in hop.steps for fact in step.because}
    if ("iptables-legacy" in sections and traced) or _have_twins(state):
        return None, 0
    kernel = _kernel(state, traced)
    walk = _walk(path)
    everything = [key for key, _ in kernel]
    deciding = [key for key, decides in kernel if decides]
    told = [key for key, _ in walk]
    strange = [key for key in told if key not in everything]
    if strange:
        return f"the kernel's trace does not know {strange[0]}: {everything}", len(kernel)
    missed = [key for key in deciding if key not in told]
    if missed:
        return f"the walk does not tell of {missed[0]}: {told}", len(kernel)
    common = [key for key in told if key in deciding]
    if _ordered(common) != _ordered([key for key in deciding if key in told]):
        return f"the order differs: {common} {deciding}", len(kernel)
    return None, len(kernel)


def _have_twins(state: NamespaceState) -> bool:
    """Whether two base chains stand at one hook with one priority, or may, as those of `inet` with others."""
    chains = state.nft_base_chains()
    places = [
        (family, chain.hook.number, chain.hook.priority)
        for chain in ([] if isinstance(chains, Absent) else chains)
        if chain.hook is not None and chain.table != OBSERVER
        for family in ((IPV4, IPV6) if chain.family == INET else (chain.family,))
    ]
    return len(set(places)) < len(places)


def _ordered(keys: list[str]) -> list[str]:
    """Each rule once, where it was first met."""
    return list(dict.fromkeys(keys))


def _kernel(state: NamespaceState, traced: list[Traced]) -> list[tuple[str, bool]]:
    """Rules by name, and whether they decided something."""
    found = []
    for each in traced:
        if each.kind != RULE or each.table == OBSERVER or not each.handle:
            continue
        chain = state.nft_chain(each.family, each.table, each.chain)
        if isinstance(chain, Absent) or isinstance(chain.rules, Absent):
            continue
        for position, raw in enumerate(chain.rules, start=1):
            if int.from_bytes(attribute_map(raw)[HANDLE], "big") == each.handle:
                key = f"{each.table}/{each.chain}/{position}"
                found.append((key, each.verdict not in {CONTINUE, BREAK}))
    return found


def _walk(path: explore.NodePath) -> list[tuple[str, bool]]:
    found = []
    for hop in path.hops:
        for step in hop.steps:
            if step.kind is StepKind.ASSUMED:
                continue
            for fact in step.because:
                key = fact.key.partition(" ")[2]
                if fact.section not in {"nftables", "iptables-nft"} or key.endswith("/policy"):
                    continue
                if not key.startswith(f"{OBSERVER}/"):
                    found.append((key, step.kind in DECIDING))
    return found
