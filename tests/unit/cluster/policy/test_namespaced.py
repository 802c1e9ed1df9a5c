"""NetworkPolicies, case by case as the API's documentation defines them."""

from ipaddress import ip_address

import pytest
from unit.cluster.policy.shop import judge, party, policy, says, shop

from kubectl_packetpath.cluster.policy.decide import decide
from kubectl_packetpath.cluster.policy.flow import Party, PolicyFlow

KNOWN_OF = (("networkpolicies", "shop"), ("ingresses", "bank"))
DENY_ALL = "{podSelector: {}, policyTypes: [Ingress, Egress]}"


def test_a_pod_that_no_policy_selects_is_open() -> None:
    """Without a policy everything may talk with everything."""
    assert says(shop(""), "shop/client", "shop/web") == "allowed"


def test_a_selected_pod_is_closed() -> None:
    """Being selected is enough; a policy without rules opens nothing."""
    verdict = judge(shop(policy(DENY_ALL, name="deny")), "bank/teller", "shop/web")

    assert verdict.says == "denied"
    assert verdict.deciding.reason == "no rule of shop/deny admits 80/TCP from pod bank/teller"


def test_policies_of_another_namespace_have_no_say() -> None:
    """A NetworkPolicy speaks for its own namespace."""
    assert says(shop(policy(DENY_ALL)), "bank/teller", "bank/teller") == "allowed"


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ("{podSelector: {}}", True, False),
        ("{podSelector: {}, ingress: []}", True, False),
        ("{podSelector: {}, egress: []}", True, False),
        ("{podSelector: {}, egress: [{}]}", True, True),
        ("{podSelector: {}, policyTypes: [Egress]}", False, True),
        ("{podSelector: {}, policyTypes: [Ingress, Egress]}", True, True),
    ],
)
def test_policy_types_follow_from_the_rules_where_they_are_not_written(
    spec: str, *, ingress: bool, egress: bool
) -> None:
    """Ingress always, Egress where there are egress rules."""
    verdict = judge(shop(policy(spec)), "shop/client", "shop/web")

    assert (verdict.ingress.isolated, verdict.egress.isolated) == (ingress, egress)


@pytest.mark.parametrize(
    ("rule", "source", "expected"),
    [
        ("{}", "203.0.113.9", "allowed"),
        ("{from: []}", "203.0.113.9", "allowed"),
        ("{from: [{podSelector: {}}]}", "shop/client", "allowed"),
        ("{from: [{podSelector: {}}]}", "bank/teller", "denied"),
        ("{from: [{podSelector: {}}]}", "203.0.113.9", "denied"),
        ("{from: [{podSelector: {matchLabels: {app: client}}}]}", "shop/client", "allowed"),
        ("{from: [{podSelector: {matchLabels: {app: client}}}]}", "bank/teller", "denied"),
        ("{from: [{namespaceSelector: {}}]}", "bank/teller", "allowed"),
        ("{from: [{namespaceSelector: {}}]}", "203.0.113.9", "denied"),
        ("{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}", "bank/teller", "allowed"),
        ("{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}", "shop/client", "denied"),
        (
            "{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}}]}",
            "bank/teller",
            "allowed",
        ),
        (
            "{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: x}}}]}",
            "bank/teller",
            "denied",
        ),
        (
            "{from: [{namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {}}]}",
            "shop/client",
            "allowed",
        ),
        ("{from: [{}]}", "shop/client", "denied"),
    ],
)
def test_peers_are_chosen_by_labels(rule: str, source: str, expected: str) -> None:
    """Both selectors of one peer have to match; one peer of several is enough."""
    spec = f"{{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{rule}]}}"

    assert says(shop(policy(spec)), source, "shop/web") == expected


@pytest.mark.parametrize(
    ("block", "source", "expected"),
    [
        ("{cidr: 203.0.113.0/24}", "203.0.113.9", "allowed"),
        ("{cidr: 203.0.113.0/24}", "198.51.100.2", "denied"),
        ("{cidr: 203.0.113.0/24, except: [203.0.113.8/29]}", "203.0.113.9", "denied"),
        ("{cidr: 203.0.113.0/24, except: [203.0.113.8/32]}", "203.0.113.9", "allowed"),
        ("{cidr: '::/0'}", "203.0.113.9", "denied"),
        ("{cidr: 0.0.0.0/0}", "shop/client", "allowed"),
        ("{cidr: 10.244.2.0/24, except: [10.244.2.2/32]}", "shop/client", "denied"),
        ("{cidr: 203.0.113.77/24}", "203.0.113.9", "allowed"),
    ],
)
def test_an_ip_block_holds_addresses_but_for_its_exceptions(block: str, source: str, expected: str) -> None:
    """Of pods too: their addresses are addresses."""
    spec = f"{{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {block}}}]}}]}}"

    assert says(shop(policy(spec)), source, "shop/web") == expected


@pytest.mark.parametrize(
    ("ports", "port", "expected"),
    [
        ("[]", "9/UDP", "allowed"),
        ("[{port: 80}]", "80/TCP", "allowed"),
        ("[{port: 80}]", "81/TCP", "denied"),
        ("[{port: 80}]", "80/UDP", "denied"),
        ("[{protocol: UDP}]", "9/UDP", "allowed"),
        ("[{protocol: UDP}]", "9/TCP", "denied"),
        ("[{protocol: SCTP, port: 9}]", "9/SCTP", "allowed"),
        ("[{port: 8000, endPort: 8080}]", "8000/TCP", "allowed"),
        ("[{port: 8000, endPort: 8080}]", "8080/TCP", "allowed"),
        ("[{port: 8000, endPort: 8080}]", "8081/TCP", "denied"),
        ("[{port: 80, endPort: 80}]", "80/TCP", "allowed"),
        ("[{port: http}]", "80/TCP", "allowed"),
        ("[{port: http}]", "81/TCP", "denied"),
        ("[{port: http, protocol: UDP}]", "80/UDP", "denied"),
        ("[{port: dns, protocol: UDP}]", "53/UDP", "allowed"),
        ("[{port: nobody}]", "80/TCP", "denied"),
        ("[{port: 9}, {port: 80}]", "80/TCP", "allowed"),
    ],
)
def test_ports_by_number_range_protocol_and_name(ports: str, port: str, expected: str) -> None:
    """The protocol is TCP where none is written; a name means the destination pod's own port."""
    spec = f"{{podSelector: {{}}, ingress: [{{ports: {ports}}}]}}"

    assert says(shop(policy(spec)), "shop/client", "shop/web", port) == expected


def test_a_named_port_of_an_egress_rule_is_the_destinations() -> None:
    """`http` is 8080 of one pod and 80 of another."""
    cluster = shop(policy("{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}"))

    assert says(cluster, "shop/client", "bank/teller", "8080/TCP") == "allowed"
    assert says(cluster, "shop/client", "bank/teller", "80/TCP") == "denied"
    assert says(cluster, "shop/client", "203.0.113.9", "80/TCP") == "denied"


def test_policies_add_up() -> None:
    """What one of them opens, no other closes."""
    allow = "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}]}]}"
    verdict = judge(
        shop(policy(DENY_ALL, name="deny") + policy(allow, name="allow")), "bank/teller", "shop/web"
    )
    allowed = judge(
        shop(policy("{podSelector: {}}") + policy(allow, name="allow")), "shop/client", "shop/web"
    )

    assert verdict.ingress.says == "denied"
    assert str(allowed.ingress.by) == "shop/allow rule 1"
    assert [str(name) for name in allowed.ingress.policies] == ["shop/it", "shop/allow"]


def test_both_ends_have_to_agree() -> None:
    """An egress rule opens nothing at the other end."""
    out = "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{}]}"
    cluster = shop(policy(out, name="out") + policy("{podSelector: {matchLabels: {app: web}}}", name="in"))
    verdict = judge(cluster, "shop/client", "shop/web")

    assert (verdict.egress.says, verdict.ingress.says, verdict.says) == ("allowed", "denied", "denied")


def test_every_rule_says_why_it_does_not_match() -> None:
    """The one that would have to is found by reading why."""
    rules = "[{from: [{podSelector: {matchLabels: {app: db}}}]}, {ports: [{port: 443}]}]"
    verdict = judge(shop(policy(f"{{podSelector: {{}}, ingress: {rules}}}")), "shop/client", "shop/web")

    assert [each.why for each in verdict.ingress.looked] == [
        "podSelector app=db does not match pod shop/client (app=client)",
        "port 443/TCP is not 80/TCP",
    ]


def test_a_pod_cannot_be_kept_from_itself() -> None:
    """Whatever selects it."""
    assert says(shop(policy(DENY_ALL)), "shop/web", "shop/web") == "allowed"


def test_a_pods_own_node_may_always_talk_with_it() -> None:
    """And no other node."""
    cluster = shop(policy(DENY_ALL))

    assert says(cluster, "node1", "shop/web") == "allowed"
    assert says(cluster, "node2", "shop/web") == "denied"
    assert says(cluster, "shop/web", "node1") == "allowed"
    assert says(cluster, "shop/web", "node2") == "denied"


def test_a_host_network_pod_is_taken_for_its_node() -> None:
    """As most implementations do, and it is said so."""
    spec = "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: agent}}}]}]}"
    verdict = judge(shop(policy(spec)), "shop/agent", "shop/web")

    assert verdict.says == "denied"
    assert verdict.ingress.assumed == ("pod shop/agent is taken for its node, as most implementations do",)


def test_a_policy_that_selects_a_host_network_pod_is_not_defined() -> None:
    """It is left alone, and it is said so."""
    verdict = judge(shop(policy(DENY_ALL)), "shop/agent", "203.0.113.9")

    assert verdict.says == "allowed"
    assert verdict.egress.assumed == (
        "shop/it selects shop/agent, but what holds for a hostNetwork pod is implementation-defined",
    )


def test_a_masqueraded_source_is_found_by_its_new_address_alone() -> None:
    """No selector matches it any more, and whether that is what happens is not defined."""
    spec = "{podSelector: {}, ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: 172.30.1.0/24}}]}]}"
    cluster = shop(policy(spec))
    flow = PolicyFlow(
        source=party(cluster, "shop/client"),
        destination=party(cluster, "shop/web"),
        port=80,
        seen_as=Party(address=ip_address("172.30.1.12"), node="node2", really="pod shop/client"),
    )
    side = decide(flow, cluster).ingress

    assert side.reason.endswith("ipBlock 172.30.1.0/24, which holds 172.30.1.12; every port")
    assert [text.split(";")[0] for text in side.assumed] == [
        "judged by the address 172.30.1.12, with which pod shop/client arrives"
    ]


def test_an_ip_block_with_the_services_address_is_told_of() -> None:
    """By then the address is the endpoint's, with most implementations."""
    spec = "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}]}"
    cluster = shop(policy(spec))
    ends = (party(cluster, "shop/client"), party(cluster, "shop/web"))
    flow = PolicyFlow(source=ends[0], destination=ends[1], port=80, asked=ip_address("10.96.0.9"))
    side = decide(flow, cluster).egress

    assert side.says == "denied"
    assert side.assumed[0].startswith("ipBlock 10.96.0.0/16 of shop/it holds the Service's address 10.96.0.9")


@pytest.mark.parametrize(("expression", "expected"), [("{key: app, operator: Near}", "unknown")])
def test_what_is_not_understood_is_unknown(expression: str, expected: str) -> None:
    """An operator of tomorrow is neither a match nor none."""
    spec = (
        f"{{podSelector: {{}}, ingress: [{{from: [{{podSelector: {{matchExpressions: [{expression}]}}}}]}}]}}"
    )

    assert says(shop(policy(spec)), "shop/client", "shop/web") == expected


def test_other_protocols_are_not_defined() -> None:
    """What holds for ICMP of an isolated pod, each implementation decides for itself."""
    assert says(shop(policy(DENY_ALL)), "shop/client", "shop/web", "0/ICMP") == "unknown"
    assert says(shop(""), "shop/client", "shop/web", "0/ICMP") == "allowed"


def test_policies_that_may_not_be_read_are_not_guessed() -> None:
    """The reason is the API server's own."""
    row = {"kind": "networkpolicies", "why": "not_permitted", "detail": "Not allowed: networkpolicies"}
    verdict = judge(shop("", networkpolicies=[], absent=[row]), "shop/client", "shop/web")

    assert (verdict.says, verdict.deciding.reason) == ("unknown", "Not allowed: networkpolicies")


def test_labels_of_namespaces_that_may_not_be_read_leave_it_open() -> None:
    """But their names are known, and pods of the policy's own namespace need none."""
    team = "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}"
    name = team.replace("team: blue", "kubernetes.io/metadata.name: bank")

    assert says(shop(policy(team), namespaces=None), "bank/teller", "shop/web") == "unknown"
    assert says(shop(policy(name), namespaces=None), "bank/teller", "shop/web") == "allowed"
    assert says(shop(policy(name), namespaces=None), "shop/client", "shop/web") == "denied"


def test_namespaces_whose_policies_were_not_read_are_unknown() -> None:
    """Where the user may read one namespace only."""
    rows = [{"kind": kind, "why": "not_permitted", "only": [only]} for kind, only in KNOWN_OF]
    cluster = shop(policy("{podSelector: {}, policyTypes: [Egress], egress: [{}]}"), absent=rows)

    assert judge(cluster, "shop/client", "bank/teller").egress.says == "allowed"
    assert judge(cluster, "shop/client", "bank/teller").ingress.says == "unknown"
