"""Rules as evidence: a fact in the words of `nft list ruleset`, or of `iptables-save` for iptables' own.

Whatever cannot be put into words still has a readable line: words never stop a walk.
"""

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.snapshot.nftables_messages import DROP
from kubectl_packetpath.snapshot.state import NamespaceState, NotRecorded
from kubectl_packetpath.trace import Fact
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.nftables.decode import Instruction, instructions, whole_rule
from kubectl_packetpath.walk.nftables.expressions import counter
from kubectl_packetpath.walk.nftables.iptables_words import iptables_words
from kubectl_packetpath.walk.nftables.kind import BAD_BYTES
from kubectl_packetpath.walk.nftables.sentence import Sentence, is_iptables
from kubectl_packetpath.walk.nftables.values import quoted

HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
PRIORITIES = {-300: "raw", -150: "mangle", 0: "filter", 50: "security"}
NAT_PRIORITIES = {(0, -100): "dstnat", (4, 100): "srcnat"}


def rule_fact(here: Here, chain: NftChain, position: int) -> Fact:
    """The rule at a position (from 0), with its counters."""
    raw = chain.rules[position] if not isinstance(chain.rules, Absent) else b""
    program = instructions(raw)
    counted = next((each.spec for each in program if isinstance(each.spec, counter.Spec)), None)
    legacy = is_iptables(here.state, chain)
    return Fact(
        section="iptables-nft" if legacy else "nftables",
        key=f"{here.node} {chain.table}/{chain.name}/{position + 1}",
        text=_guarded(here.state, chain, raw, legacy=legacy),
        packets=counted.packets if counted is not None else None,
        bytes=counted.bytes if counted is not None else None,
    )


def _guarded(state: NamespaceState, chain: NftChain, raw: bytes, *, legacy: bool) -> str:
    program = instructions(raw)
    rule = whole_rule(raw)
    comment = rule.comment if rule is not None else ""
    try:
        if legacy:
            return iptables_words(state, chain, program, comment)
        return native_words(state, chain, program, comment)
    except (*BAD_BYTES, NotRecorded, AttributeError, TypeError):
        return " ".join(f"[{each.name}]" for each in program)


def native_words(
    state: NamespaceState, chain: NftChain, program: tuple[Instruction, ...], comment: str
) -> str:
    """As `nft list ruleset` prints it."""
    sentence = Sentence(state=state, chain=chain)
    for each in program:
        if each.kind is None:
            sentence.say(f"[{each.name}]")
        else:
            each.kind.words(each.spec, sentence)
    if comment:
        sentence.say(f"comment {quoted(comment)}")
    return sentence.text()


def policy_fact(here: Here, chain: NftChain) -> Fact:
    """The last word of a base chain."""
    legacy = is_iptables(here.state, chain)
    return Fact(
        section="iptables-nft" if legacy else "nftables",
        key=f"{here.node} {chain.table}/{chain.name}/policy",
        text=_policy_words(chain, legacy=legacy),
        packets=chain.policy_packets,
        bytes=chain.policy_bytes,
    )


def _policy_words(chain: NftChain, *, legacy: bool) -> str:
    hook = chain.hook
    if hook is None:
        return ""
    policy = "drop" if hook.policy == DROP else "accept"
    if legacy:
        return f":{chain.name} {policy.upper()}"
    name = HOOKS[hook.number] if hook.number < len(HOOKS) else str(hook.number)
    names = NAT_PRIORITIES.get((hook.number, hook.priority)) or PRIORITIES.get(hook.priority)
    return f"type {hook.type} hook {name} priority {names or hook.priority}; policy {policy};"
