"""The cluster's own policies, before and after those of the namespaces."""

import pytest
from unit.cluster.policy.shop import judge, policy, says, shop

DENY_NAMESPACED = policy("{podSelector: {}}", name="closed")
ALLOW_NAMESPACED = policy("{podSelector: {}, ingress: [{}]}", name="open")
ALL = "namespaces: {}"


def admin(
    action: str, priority: int = 10, name: str = "guard", rest: str = "from: [{namespaces: {}}]"
) -> str:
    """An AdminNetworkPolicy for all pods with one ingress rule."""
    spec = f"{{priority: {priority}, subject: {{{ALL}}}, ingress: [{{name: r, action: {action}, {rest}}}]}}"
    return policy(spec, "AdminNetworkPolicy", name)


def baseline(action: str) -> str:
    """The BaselineAdminNetworkPolicy for all pods."""
    rule = f"{{action: {action}, from: [{{namespaces: {{}}}}]}}"
    return policy(f"{{subject: {{{ALL}}}, ingress: [{rule}]}}", "BaselineAdminNetworkPolicy", "default")


def cluster_policy(spec: str, name: str = "cnp") -> str:
    """A ClusterNetworkPolicy."""
    return policy(spec, "ClusterNetworkPolicy", name)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (admin("Deny"), "denied"),
        (admin("Deny") + ALLOW_NAMESPACED, "denied"),
        (admin("Allow") + DENY_NAMESPACED, "allowed"),
        (admin("Pass") + DENY_NAMESPACED, "denied"),
        (admin("Pass") + ALLOW_NAMESPACED, "allowed"),
        (admin("Pass") + baseline("Deny"), "denied"),
        (admin("Pass") + ALLOW_NAMESPACED + baseline("Deny"), "allowed"),
        (admin("Allow") + baseline("Deny"), "allowed"),
        (baseline("Deny"), "denied"),
        (baseline("Deny") + DENY_NAMESPACED, "denied"),
        (baseline("Allow") + DENY_NAMESPACED, "denied"),
        (baseline("Deny") + ALLOW_NAMESPACED, "allowed"),
        (baseline("Deny") + policy("{podSelector: {}, policyTypes: [Egress], egress: [{}]}"), "denied"),
    ],
)
def test_tiers_are_asked_in_their_order(policies: str, expected: str) -> None:
    """Admin, then NetworkPolicies, then Baseline for what none of them isolates in this direction."""
    assert says(shop(policies), "bank/teller", "shop/web") == expected


def test_the_lowest_number_is_asked_first() -> None:
    """Whatever the order in which the API lists them."""
    verdict = judge(shop(admin("Deny", 20, "late") + admin("Allow", 5, "early")), "shop/client", "shop/web")

    assert (verdict.says, str(verdict.ingress.by)) == ("allowed", "AdminNetworkPolicy early rule 1 (r)")


def test_a_pass_skips_the_rest_of_its_tier() -> None:
    """A later Deny of the same tier is not asked."""
    assert says(shop(admin("Pass", 5, "a") + admin("Deny", 6, "b")), "shop/client", "shop/web") == "allowed"


def test_policies_of_one_priority_that_disagree_are_unknown() -> None:
    """An implementation may apply either."""
    both = admin("Deny", 5, "a") + admin("Allow", 5, "b")

    assert says(shop(both), "shop/client", "shop/web") == "unknown"
    assert says(shop(admin("Deny", 5, "a") + admin("Deny", 5, "b")), "shop/client", "shop/web") == "denied"
    assert (
        says(shop(admin("Pass", 5, "a") + admin("Deny", 5, "b") + DENY_NAMESPACED), "shop/client", "shop/web")
        == "denied"
    )


def test_the_first_rule_that_matches_decides() -> None:
    """Within one policy the order is as written."""
    rules = "[{action: Allow, from: [{namespaces: {matchLabels: {team: blue}}}]}, {action: Deny, from: [{namespaces: {}}]}]"
    cluster = shop(policy(f"{{priority: 1, subject: {{{ALL}}}, ingress: {rules}}}", "AdminNetworkPolicy"))

    assert says(cluster, "bank/teller", "shop/web") == "allowed"
    assert says(cluster, "shop/client", "shop/web") == "denied"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("namespaces: {matchLabels: {team: red}}", "denied"),
        ("namespaces: {matchLabels: {team: blue}}", "allowed"),
        ("pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}", "denied"),
        (
            "pods: {namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: web}}}",
            "allowed",
        ),
        ("pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}", "allowed"),
    ],
)
def test_the_subject_is_chosen_by_namespace_and_pod(subject: str, expected: str) -> None:
    """A policy has a say for its subject only."""
    spec = (
        f"{{priority: 1, subject: {{{subject}}}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]}}"
    )

    assert says(shop(policy(spec, "AdminNetworkPolicy")), "shop/client", "shop/web") == expected


@pytest.mark.parametrize(
    ("ports", "port", "expected"),
    [
        ("[{portNumber: {protocol: TCP, port: 80}}]", "80/TCP", "denied"),
        ("[{portNumber: {protocol: UDP, port: 80}}]", "80/TCP", "allowed"),
        ("[{portRange: {protocol: TCP, start: 79, end: 81}}]", "81/TCP", "denied"),
        ("[{portRange: {start: 79, end: 81}}]", "82/TCP", "allowed"),
        ("[{namedPort: http}]", "80/TCP", "denied"),
        ("[{namedPort: dns}]", "53/UDP", "denied"),
        ("[{namedPort: dns}]", "53/TCP", "allowed"),
    ],
)
def test_ports_of_an_admin_policy(ports: str, port: str, expected: str) -> None:
    """By number, range, or the name that the destination's pod gave one, whatever its protocol."""
    cluster = shop(admin("Deny", rest=f"from: [{{namespaces: {{}}}}], ports: {ports}"))

    assert says(cluster, "shop/client", "shop/web", port) == expected


@pytest.mark.parametrize(
    ("protocols", "port", "expected"),
    [
        ("[{tcp: {destinationPort: {number: 80}}}]", "80/TCP", "denied"),
        ("[{udp: {destinationPort: {number: 80}}}]", "80/TCP", "allowed"),
        ("[{sctp: {destinationPort: {range: {start: 1, end: 9}}}}]", "9/SCTP", "denied"),
        ("[{tcp: {}}]", "9/TCP", "denied"),
        ("[{destinationNamedPort: http}]", "80/TCP", "denied"),
        ("[{destinationNamedPort: http}]", "81/TCP", "allowed"),
    ],
)
def test_protocols_of_a_cluster_policy(protocols: str, port: str, expected: str) -> None:
    """The same, as ClusterNetworkPolicy writes it."""
    rule = f"{{action: Deny, from: [{{namespaces: {{}}}}], protocols: {protocols}}}"
    cluster = shop(cluster_policy(f"{{tier: Admin, priority: 1, subject: {{{ALL}}}, ingress: [{rule}]}}"))

    assert says(cluster, "shop/client", "shop/web", port) == expected


@pytest.mark.parametrize(
    ("peer", "destination", "expected"),
    [
        ("networks: [203.0.113.0/24]", "203.0.113.9", "denied"),
        ("networks: [203.0.113.0/24]", "198.51.100.2", "allowed"),
        ("networks: [0.0.0.0/0]", "shop/web", "denied"),
        ("nodes: {}", "node1", "denied"),
        ("nodes: {matchLabels: {disk: fast}}", "node1", "denied"),
        ("nodes: {matchLabels: {disk: slow}}", "node1", "allowed"),
        ("nodes: {}", "203.0.113.9", "allowed"),
        ("domainNames: ['*.example.test']", "203.0.113.9", "unknown"),
    ],
)
def test_egress_peers_outside_of_pods(peer: str, destination: str, expected: str) -> None:
    """Networks hold pods too; what a domain name stands for is not known here."""
    spec = f"{{tier: Admin, priority: 1, subject: {{{ALL}}}, egress: [{{action: Deny, to: [{{{peer}}}]}}]}}"

    assert says(shop(cluster_policy(spec)), "shop/client", destination) == expected


def test_a_tier_of_cluster_policies_may_be_the_baseline() -> None:
    """Its `tier` says so."""
    rule = "{action: Deny, from: [{namespaces: {}}]}"
    spec = f"{{tier: Baseline, priority: 1, subject: {{{ALL}}}, ingress: [{rule}]}}"

    assert says(shop(cluster_policy(spec)), "shop/client", "shop/web") == "denied"
    assert says(shop(cluster_policy(spec) + ALLOW_NAMESPACED), "shop/client", "shop/web") == "allowed"


@pytest.mark.parametrize(
    ("action", "expected"), [("Accept", "denied"), ("Pass", "denied"), ("Deny", "denied")]
)
def test_a_peer_of_a_kind_to_come_fails_closed(action: str, expected: str) -> None:
    """An Accept with it matches nothing; any other denies all."""
    rule = f"{{action: {action}, from: [{{planets: {{}}}}]}}"
    spec = f"{{tier: Admin, priority: 1, subject: {{{ALL}}}, ingress: [{rule}]}}"

    assert says(shop(cluster_policy(spec) + DENY_NAMESPACED), "shop/client", "shop/web") == expected


def test_host_network_pods_are_nobodys_subject_and_nobodys_peer() -> None:
    """So says the API."""
    cluster = shop(admin("Deny"))

    assert says(cluster, "shop/agent", "shop/web") == "allowed"
    assert says(cluster, "shop/client", "shop/agent") == "allowed"


@pytest.mark.parametrize(
    ("peer", "source", "expected"),
    [
        ("namespaces: {sameLabels: [team]}", "shop/client", "denied"),
        ("namespaces: {sameLabels: [team]}", "bank/teller", "allowed"),
        ("namespaces: {notSameLabels: [team]}", "bank/teller", "denied"),
        ("namespaces: {namespaceSelector: {matchLabels: {team: blue}}}", "bank/teller", "denied"),
        (
            "pods: {namespaces: {sameLabels: [env]}, podSelector: {matchLabels: {app: client}}}",
            "bank/teller",
            "denied",
        ),
    ],
)
def test_peers_of_older_versions(peer: str, source: str, expected: str) -> None:
    """What the first versions of AdminNetworkPolicy wrote around a selector."""
    assert says(shop(admin("Deny", rest=f"from: [{{{peer}}}]")), source, "shop/web") == expected


def test_cluster_policies_that_may_not_be_read_leave_it_open() -> None:
    """They could overrule all others."""
    row = {"kind": "adminnetworkpolicies", "why": "not_permitted", "detail": "Not allowed"}

    assert says(shop("", adminnetworkpolicies=[], absent=[row]), "shop/client", "shop/web") == "unknown"
