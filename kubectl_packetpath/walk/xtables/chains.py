"""A packet's way through the chains of one legacy table.

Branches wait on a stack of their own instead of Python's: a Service with 1,000 endpoints is a chain of
1,000 forks, and none of them is walked twice.

Kernel: ipt_do_table() in net/ipv4/netfilter/ip_tables.c
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.xtables import LegacyTable
from kubectl_packetpath.snapshot.xtables_blob import HOOK_NAMES
from kubectl_packetpath.trace import Ending, History, Outcome, Step, StepKind, Verdict, told
from kubectl_packetpath.walk.here import Here, Outcomes, ended, go_on, scaled, unknown
from kubectl_packetpath.walk.xtables.blob import (
    candidates,
    matches_of,
    probe_of,
    target_of,
)
from kubectl_packetpath.walk.xtables.evaluate import evaluate, observes, run_target
from kubectl_packetpath.walk.xtables.extension import (
    BAD_BYTES,
    Chance,
    Decision,
    Extension,
    Undecided,
    all_of,
)
from kubectl_packetpath.walk.xtables.rule import Jump, NoTarget, Standard
from kubectl_packetpath.walk.xtables.run import MOST_ASSUMED, Branch, Frame, Run


def run_base(
    here: Here, family: int, table: LegacyTable, packet: Packet, history: History | None
) -> Outcomes:
    """Walk the table's chain of this hook."""
    start = go_on(packet, history)
    place = f"{here.node} {table.name}/{HOOK_NAMES[here.hook]}"
    if not table.valid_hooks >> here.hook & 1:
        yield replace(start, verdict="accept")
        return
    chain = here.state.legacy_chain(family, table.name, table.hook_entry[here.hook])
    if isinstance(chain, Absent):
        yield unknown(start, f"{place}: the chain could not be read ({chain.detail or chain.why})")
        return
    run = Run(here=here, family=family, table=table.name, base=chain)
    waiting = [
        Branch(chain=chain, position=0, below=None, packet=packet, history=history, weight=start.weight)
    ]
    while waiting:
        for result in _walk_chain(run, waiting.pop()):
            if isinstance(result, Branch):
                waiting.append(result)
            else:
                yield result


def _walk_chain(run: Run, branch: Branch) -> Iterator[Branch | Outcome]:
    """To the next rule that is for the packet; the branch to follow first comes last."""
    rules = branch.chain.rules
    for position in candidates(rules, branch.position, probe_of(run.here, branch.packet)):
        try:
            asked = (
                evaluate(run.here, run.family, match, branch.packet)
                for match in matches_of(run.family, rules[position])
            )
            decision = all_of(asked)
        except BAD_BYTES as error:
            decision = Undecided(f"the rule cannot be read: {error}")
        if decision is False:
            continue
        branch = replace(branch, position=position)
        if decision is True:
            yield from _apply(run, branch)
        else:
            yield from _fork(run, branch, decision)
        return
    outcome = Outcome(weight=branch.weight, packet=branch.packet, history=branch.history)
    yield unknown(outcome, f"{run.here.node} {run.table}/{branch.chain.name}: the chain has no end")


def _fork(run: Run, branch: Branch, decision: Decision) -> Iterator[Branch | Outcome]:
    """Go on past the rule and into it."""
    passed = replace(branch, position=branch.position + 1)
    if isinstance(decision, Chance):
        yield replace(passed, weight=scaled(branch.weight, 1 - decision.share))
        yield from _apply(run, replace(branch, weight=scaled(branch.weight, decision.share)))
        return
    reason = decision.reason if isinstance(decision, Undecided) else ""
    if _changes_nothing(run, branch):
        yield passed
        return
    place = run.place(branch.chain, branch.position)
    fact = (run.fact(branch.chain, branch.position),)
    run.assumed += 1
    if run.assumed > MOST_ASSUMED:
        outcome = Outcome(weight=None, packet=branch.packet, history=branch.history)
        yield unknown(outcome, f"{place}: too many rules before this one could not be decided", fact)
        return
    without = Step(kind=StepKind.ASSUMED, text=f"{place}: {reason}; taken not to match", because=fact)
    yield replace(passed, weight=None, history=told(branch.history, without))
    step = Step(kind=StepKind.ASSUMED, text=f"{place}: {reason}; taken to match", because=fact)
    yield from _apply(run, replace(branch, weight=None, history=told(branch.history, step)))


def _changes_nothing(run: Run, branch: Branch) -> bool:
    """Whether the packet's way is the same with and without this rule."""
    following = run.following(branch.chain, branch.position)
    try:
        target = target_of(run.family, branch.chain.rules[branch.position], following)
    except BAD_BYTES:
        return False
    return isinstance(target, NoTarget) or (isinstance(target, Extension) and observes(run.family, target))


def _apply(run: Run, branch: Branch) -> Iterator[Branch | Outcome]:
    """The rule is for the packet: do what it says."""
    here, chain, position = run.here, branch.chain, branch.position
    outcome = Outcome(weight=branch.weight, packet=branch.packet, history=branch.history)
    try:
        target = target_of(run.family, chain.rules[position], run.following(chain, position))
    except BAD_BYTES as error:
        yield unknown(outcome, f"{run.place(chain, position)}: the target cannot be read: {error}")
        return
    match target:
        case NoTarget():
            yield replace(branch, position=position + 1)
        case Standard(name=name):
            yield from _verdict(run, branch, name)
        case Jump():
            yield from _jump(run, branch, target)
        case Extension():
            because = (run.fact(chain, position),)
            for found in run_target(here, run.family, target, branch.packet, branch.history, because):
                scaled_outcome = replace(found, weight=scaled(branch.weight, found.weight))
                if found.ending is not None or found.verdict == "accept":
                    yield scaled_outcome
                else:
                    yield replace(
                        branch,
                        position=position + 1,
                        packet=found.packet,
                        history=found.history,
                        weight=scaled_outcome.weight,
                    )


def _jump(run: Run, branch: Branch, jump: Jump) -> Iterator[Branch | Outcome]:
    """Into another chain; a goto leaves no way back to this one."""
    chain, position = branch.chain, branch.position
    outcome = Outcome(weight=branch.weight, packet=branch.packet, history=branch.history)
    to = run.chain_at(jump.offset)
    fact = run.fact(chain, position)
    if isinstance(to, Absent):
        detail = to.detail or to.why
        yield unknown(outcome, f"{fact.key}: the chain it jumps to could not be read ({detail})", (fact,))
        return
    step = Step(kind=StepKind.JUMPED, text=f"to {to.name}", because=(fact,))
    below = branch.below if jump.goto else Frame(chain, position + 1, branch.below)
    yield replace(branch, chain=to, position=0, below=below, history=told(branch.history, step))


def _verdict(run: Run, branch: Branch, name: str) -> Iterator[Branch | Outcome]:
    """ACCEPT, DROP, RETURN or QUEUE, of a rule or of the chain itself."""
    chain, position = branch.chain, branch.position
    outcome = Outcome(weight=branch.weight, packet=branch.packet, history=branch.history)
    if name == "RETURN":
        yield from _return(run, branch)
        return
    is_policy = run.is_policy(chain, position)
    because = (run.fact(chain, position),)
    if name == "ACCEPT":
        step = Step(kind=StepKind.MATCHED, text="accepted", because=because)
        history = branch.history if is_policy else told(branch.history, step)
        yield replace(outcome, history=history, verdict="accept")
    elif name == "DROP":
        who = f"the policy of {run.table}/{chain.name}" if is_policy else "a rule"
        ending = Ending(verdict=Verdict.DROPPED, reason=f"dropped by {who}")
        yield ended(outcome, ending, kind=StepKind.DROPPED, because=because)
    else:
        yield unknown(outcome, f"{because[0].key}: a program in user space decides", because)


def _return(run: Run, branch: Branch) -> Iterator[Branch | Outcome]:
    """Back to where the packet was jumped from, or to the policy."""
    chain, position, history = branch.chain, branch.position, branch.history
    if position < len(chain.rules) - 1:
        step = Step(kind=StepKind.RETURNED, text=f"from {chain.name}", because=(run.fact(chain, position),))
        history = told(history, step)
    below = branch.below
    if below is not None:
        yield replace(branch, chain=below.chain, position=below.position, below=below.below, history=history)
    else:
        last = len(run.base.rules) - 1
        yield replace(branch, chain=run.base, position=last, below=None, history=history)
