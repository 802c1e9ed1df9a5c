"""Calico's chains: which policy a chain stands for, and which end of a connection it guards.

Felix gives each policy a chain for each direction, named by a hash, and writes the policy's name into comments of its
rules. A Kubernetes NetworkPolicy `shop/web` is `shop/knp.default.web` there.

Source: projectcalico/calico felix/rules/policy.go PolicyChainName, felix/hashutils/id.go GetLengthLimitedID,
libcalico-go/lib/backend/k8s/conversion K8sNetworkPolicyNamePrefix
"""

import base64
import hashlib
import re

KUBERNETES = "knp.default."
LONGEST_CHAIN = 28
INGRESS, EGRESS = "ingress", "egress"
POLICY_CHAINS = {INGRESS: "cali-pi-", EGRESS: "cali-po-"}
GUARDS = {
    INGRESS: ("cali-tw-", "cali-pi-", "cali-pri-", "cali-gi-"),
    EGRESS: ("cali-fw-", "cali-po-", "cali-pro-", "cali-go-"),
}
COMMENT = re.compile(r'--comment "?Policy (?P<name>\S+) (?P<direction>ingress|egress)\b')


def policy_chain(namespace: str, name: str, direction: str) -> str:
    """The chain of a Kubernetes NetworkPolicy."""
    prefix, known = POLICY_CHAINS[direction], f"{namespace}/{KUBERNETES}{name}"
    if len(prefix) + len(known) < LONGEST_CHAIN:
        return prefix + known
    digest = base64.urlsafe_b64encode(hashlib.sha256(known.encode()).digest()).decode()
    return f"{prefix}_{digest}"[:LONGEST_CHAIN]


def guarded_direction(chain: str) -> str:
    """Which direction of a pod's traffic a chain looks at; empty: none, or both."""
    return next((direction for direction, heads in GUARDS.items() if chain.startswith(heads)), "")


def policy_named(rule: str) -> str:
    """The policy whose rule this is, by its comment: `NetworkPolicy shop/web`; empty: it says none."""
    found = COMMENT.search(rule)
    if found is None:
        return ""
    namespace, slash, rest = found["name"].partition("/")
    if slash and rest.startswith(KUBERNETES):
        return f"NetworkPolicy {namespace}/{rest.removeprefix(KUBERNETES)}"
    return f"Calico's policy {found['name']}"
