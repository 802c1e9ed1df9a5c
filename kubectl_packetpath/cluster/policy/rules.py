"""One rule, held against a flow: its peers and its ports both have to match."""

from kubectl_packetpath.cluster.policy.certainty import Match, every
from kubectl_packetpath.cluster.policy.flow import PolicyFlow
from kubectl_packetpath.cluster.policy.objects import PolicyName, Rule
from kubectl_packetpath.cluster.policy.peers import Asked, match_peers
from kubectl_packetpath.cluster.policy.ports import match_ports
from kubectl_packetpath.cluster.policy.verdict import Looked, RuleName


def look(rule: Rule, name: RuleName, asked: Asked, flow: PolicyFlow) -> Looked:
    """Whether a rule matches; in a NetworkPolicy, one without peers or ports leaves them open."""
    anyone = not rule.peers and name.policy.kind == "NetworkPolicy"
    peer = Match(holds=True, text="everybody") if anyone else match_peers(rule.peers, asked)
    port = match_ports(rule.ports, flow)
    holds = every((peer.holds, port.holds))
    if holds is True:
        return Looked(rule=name, holds=True, peer=peer.text, port=port.text)
    told = [part.text if part.holds is holds else "" for part in (peer, port)]
    return Looked(rule=name, holds=holds, peer=told[0], port=told[1])


def named(policy: PolicyName, number: int, rule: Rule) -> RuleName:
    """The name of the rule at this place."""
    return RuleName(policy=policy, number=number, name=rule.name, action=rule.action)
