"""kube-proxy: iptables comments and chain names, the chain names of its nftables mode, and IPVS mode's device.

Kubernetes: pkg/proxy/iptables/proxier.go, pkg/proxy/nftables/proxier.go, pkg/proxy/ipvs/proxier.go
"""

import re

from kubectl_packetpath.dialects.base import Meaning
from kubectl_packetpath.trace import Fact

PROGRAM = "kube-proxy"
IPVS_DEVICE = "kube-ipvs0"
"""In IPVS mode it has the addresses of all Services."""
COMMENT = re.compile(r'--comment "?([^"]*)"?')
NFT_COMMENT = re.compile(r'comment "([^"]*)"')
SUBJECT = re.compile(r"^([a-z0-9.-]+/[a-z0-9.-]+(?::[a-z0-9.-]+)?)(.*)$")
NFT_CHAIN = re.compile(
    r"\b(service|endpoint|external|firewall)-[A-Z2-7]{8}-([a-z0-9.-]+)/([a-z0-9.-]+)/(tcp|udp|sctp)/([a-z0-9.-]*)"
)
NFT_WORDS = {
    "service": "picks an endpoint of {}",
    "endpoint": "has picked an endpoint of {}",
    "external": "takes traffic from outside for {}",
    "firewall": "checks who may reach {}",
}


class KubeProxy:
    """Reads kube-proxy's own hand."""

    def meaning(self, fact: Fact) -> Meaning | None:
        """From a comment in iptables modes, a chain's name in nftables mode, a device in IPVS mode."""
        if fact.section == "nftables":
            return _from_chain(f"{fact.text} {fact.key}")
        if fact.section.startswith("iptables") and "KUBE-" in fact.text:
            return _from_comment(fact.text)
        if fact.section == "address" and fact.text.endswith(f" dev {IPVS_DEVICE}"):
            return Meaning(program=PROGRAM, subject="", text="has the address here, for IPVS")
        return None


def _from_chain(text: str) -> Meaning | None:
    match = NFT_CHAIN.search(text)
    if match is None:
        return _from_absence(text)
    kind, namespace, name, protocol, port = match.groups()
    subject = f"{namespace}/{name}:{port or protocol}"
    return Meaning(program=PROGRAM, subject=subject, text=NFT_WORDS[kind].format(subject))


def _from_absence(text: str) -> Meaning | None:
    """In nftables mode the Services without endpoints are elements of two maps, each with its comment."""
    if "no-endpoint-services" not in text and "no-endpoint-nodeports" not in text:
        return None
    comment = NFT_COMMENT.search(text)
    match = SUBJECT.match(comment[1]) if comment else None
    subject = match[1] if match else ""
    return Meaning(program=PROGRAM, subject=subject, text="refuses a Service", absence="has no endpoints")


def _from_comment(text: str) -> Meaning | None:
    comment = COMMENT.search(text)
    match = SUBJECT.match(comment[1]) if comment else None
    if match is None:
        return None
    subject, rest = match[1], match[2].strip()
    if rest.startswith("->"):
        return Meaning(program=PROGRAM, subject=subject, text=f"has picked an endpoint of {subject}")
    if rest.startswith("has no"):
        return Meaning(program=PROGRAM, subject=subject, text=f"refuses {subject}", absence=rest)
    if "-j KUBE-SVC-" in text or "-j KUBE-SVL-" in text or "-j KUBE-EXT-" in text:
        return Meaning(program=PROGRAM, subject=subject, text=f"picks an endpoint of {subject}")
    return Meaning(program=PROGRAM, subject=subject, text=f"handles {subject} {rest}".strip())
