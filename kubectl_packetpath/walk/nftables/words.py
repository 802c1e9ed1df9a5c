"""Rules in words: those of `nft list ruleset`, or of `iptables-save` for iptables' own.

Whatever cannot be put into words still has a readable line, so words never stop a walk.
"""

from contextlib import suppress

from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.snapshot.nftables_messages import DROP, read_rule
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import FactSection
from kubectl_packetpath.walk.here import Hook
from kubectl_packetpath.walk.nftables.iptables_words import iptables_words
from kubectl_packetpath.walk.nftables.kind import BAD_BYTES
from kubectl_packetpath.walk.nftables.program import Instruction, program_of
from kubectl_packetpath.walk.nftables.sentence import Sentence, is_iptables
from kubectl_packetpath.walk.nftables.values import quoted

PRIORITIES = {-300: "raw", -150: "mangle", 0: "filter", 50: "security"}
NAT_PRIORITIES = {(0, -100): "dstnat", (4, 100): "srcnat"}


def rule_words(state: NamespaceState, chain: NftChain, raw: bytes) -> tuple[FactSection, str]:
    """The section of the fact, and the rule as the user's own tool prints it."""
    program = program_of(raw)
    comment = read_rule(raw).comment
    if is_iptables(state, chain):
        with suppress(*BAD_BYTES):
            return "iptables-nft", iptables_words(state, chain, program, comment)
    try:
        return "nftables", native_words(state, chain, program, comment)
    except BAD_BYTES:
        return "nftables", " ".join(f"[{each.name}]" for each in program)


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


def policy_words(chain: NftChain, hook: Hook) -> str:
    """The line of a base chain that holds its policy."""
    where = chain.hook
    policy = "drop" if where is not None and where.policy == DROP else "accept"
    if where is None:
        return f"policy {policy};"
    names = NAT_PRIORITIES.get((int(hook), where.priority)) or PRIORITIES.get(where.priority)
    return f"type {where.type} hook {hook.name.lower()} priority {names or where.priority}; policy {policy};"
