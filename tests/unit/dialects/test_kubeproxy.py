"""kube-proxy's rules in words."""

import pytest

from kubectl_packetpath.dialects import meaning
from kubectl_packetpath.trace import Fact, FactSection


@pytest.mark.parametrize(
    ("section", "text", "expected"),
    [
        (
            "iptables-legacy",
            (
                '-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment "shop/web:http cluster IP" '
                "-m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA"
            ),
            "picks an endpoint of shop/web:http",
        ),
        (
            "iptables-nft",
            '-A KUBE-SVC-AAAAAAAAAAAAAAAA -m comment --comment "shop/web:http -> 10.244.0.3:8080" -j KUBE-SEP-B',
            "has picked an endpoint of shop/web:http",
        ),
        (
            "nftables",
            (
                "ip daddr . meta l4proto . th dport vmap { 10.96.0.9 . tcp . 80 : "
                "goto service-ULMVA6XW-shop/web/tcp/http }"
            ),
            "picks an endpoint of shop/web:http",
        ),
        (
            "nftables",
            "numgen random mod 3 vmap { 0 : goto endpoint-5OJB2KTY-shop/web/tcp/http__10.244.0.3/8080 }",
            "has picked an endpoint of shop/web:http",
        ),
    ],
)
def test_words(section: FactSection, text: str, expected: str) -> None:
    """What a rule does, and for whom."""
    found = meaning(Fact(section=section, key="node1 nat/X/1", text=text))

    assert found is not None
    assert (found.program, found.text) == ("kube-proxy", expected)


@pytest.mark.parametrize(
    "fact",
    [
        Fact(section="iptables-nft", key="node1 filter/FORWARD/1", text="-A FORWARD -j DROP"),
        Fact(section="route", key="node1 table main", text="10.244.0.0/24 dev cni0"),
        Fact(section="nftables", key="node1 t/c/1", text="tcp dport 80 drop"),
    ],
)
def test_the_rules_of_others_are_not_its_own(fact: Fact) -> None:
    """Whoever wrote them."""
    assert meaning(fact) is None


def test_a_service_without_endpoints() -> None:
    """The comment says why kube-proxy rejects."""
    text = '-A KUBE-SERVICES -m comment --comment "shop/web:http has no endpoints" -j REJECT'

    found = meaning(Fact(section="iptables-nft", key="node1 filter/KUBE-SERVICES/1", text=text))

    assert found is not None
    assert found.absence == "has no endpoints"
