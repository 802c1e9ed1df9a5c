"""A rule that is not Kubernetes' stops the packet.

Docker sets the policy of FORWARD to DROP; ufw, firewalld and a distribution's own rules drop or reject what they do not
know; a later chain on the same hook has the last word, whatever kube-proxy's chains accepted.

Kernel: net/netfilter/core.c nf_hook_slow: every chain of a hook sees a packet, and each may drop it
"""

import re
from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.policy.enforcement import owner_of as enforcer_of
from kubectl_packetpath.dialects import meaning
from kubectl_packetpath.dialects.owners import Owner, owner_of
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import Loss, losses
from kubectl_packetpath.trace import Fact, Verdict

PROBLEM = Problem(
    code="PP302",
    id="foreign-rule-stops",
    title="A rule that is not Kubernetes' stops the packet.",
)
PLACE = re.compile(r"\S+ (?P<table>[^/]+)/(?P<chain>[^/]+)/(?P<position>\w+)$")
RULES = ("iptables-legacy", "iptables-nft", "nftables")
OWN = {"kube-proxy"}


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Dropped or rejected in a chain that belongs neither to a proxy nor to an enforcer of policies."""
    for loss in losses(way):
        fact = next((each for each in reversed(loss.facts) if each.section in RULES), None)
        place = PLACE.match(fact.key) if fact is not None else None
        if fact is None or place is None or loss.ending.verdict not in {Verdict.DROPPED, Verdict.REJECTED}:
            continue
        table, chain = place["table"], place["chain"]
        said = meaning(fact)
        owner = owner_of(table, chain) or (_setter(loss) if place["position"] == "policy" else None)
        ours = (owner is not None and owner.name in OWN) or (said is not None and bool(said.subject))
        if enforcer_of(chain) or enforcer_of(table) or ours:
            continue
        yield PROBLEM.found(
            owner.name if owner is not None else f"{table}/{chain}",
            _message(loss, owner, table, chain, is_policy=place["position"] == "policy"),
            **loss.where,
            evidence=loss.facts,
            remedy=tuple(_remedies(answer, loss, fact, owner)),
        )


def _message(loss: Loss, owner: Owner | None, table: str, chain: str, *, is_policy: bool) -> str:
    who = owner.name if owner is not None else "no program that is known"
    verb = "rejects" if loss.ending.verdict is Verdict.REJECTED else "drops"
    if is_policy:
        setter = f"; {who} sets it" if owner is not None else ""
        return f"the policy of {table}/{chain} on {loss.hop.node} {verb} what no rule accepts{setter}"
    return f"a rule in {table}/{chain} on {loss.hop.node} {verb} it; the chain belongs to {who}"


def _setter(loss: Loss) -> Owner | None:
    """Who sets the policy of a base chain: the first program whose chains the packet went through there."""
    for step in reversed(loss.hop.steps):
        for fact in step.because:
            place = PLACE.match(fact.key)
            jumped = re.search(r"-j (\S+)", fact.text)
            names = (place["chain"] if place is not None else "", jumped[1] if jumped else "")
            for name in names:
                found = owner_of("", name) if name else None
                if found is not None and found.name not in OWN:
                    return found
    return None


def _remedies(answer: Answer, loss: Loss, fact: Fact, owner: Owner | None) -> Iterator[str]:
    """Delete the very rule, or tell its owner; the look at the chain comes last."""
    packet = loss.end.packet.innermost
    tool = {"iptables-legacy": "iptables-legacy", "iptables-nft": "iptables-nft"}.get(fact.section, "")
    tool = tool.replace("ip", "ip6", 1) if packet.family == 6 else tool
    place = PLACE.match(fact.key)
    table, chain = (place["table"], place["chain"]) if place is not None else ("filter", "FORWARD")
    if owner is not None and owner.remedy:
        yield owner.remedy.format(cidr=_cidr(answer, loss))
    if tool and fact.text.startswith("-A "):
        yield f"{tool} -t {table} -D {fact.text.removeprefix('-A ')}"
    elif tool and fact.text.startswith(":"):
        yield f"{tool} -t {table} -P {chain} ACCEPT"
    yield f"{tool} -t {table} -S {chain}" if tool else "nft -a list ruleset"


def _cidr(answer: Answer, loss: Loss) -> str:
    """The pods' network of the sender, or the sender alone."""
    source = loss.end.packet.innermost.source
    networks = (network for node in answer.cluster.nodes for network in node.pod_networks)
    return str(next((each for each in networks if source in each), source))


CHECK = PROBLEM.check(look)
