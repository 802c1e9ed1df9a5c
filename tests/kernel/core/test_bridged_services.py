"""Services among pods on one bridge: br_netfilter, hairpin mode and masquerading decide whether they work."""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, happened, lab, predicted, question, walk

from kubectl_packetpath.trace import Verdict

pytestmark = pytest.mark.kernel

SERVICE = "10.96.0.1"
RULES = """*nat
-A PREROUTING -d 10.96.0.1 -p tcp --dport 80 -j DNAT --to-destination 10.1.0.{pod}:8080
-A POSTROUTING -s 10.1.0.{pod} -d 10.1.0.{pod} -j MASQUERADE
COMMIT
"""


@pytest.fixture(params=["iptables-legacy-restore", "iptables-nft-restore"], ids=["legacy", "iptables-nft"])
def program(request: pytest.FixtureRequest) -> str:
    """Who loads the rules."""
    return str(request.param)


@pytest.fixture(params=[0, 1], ids=["bridged-past-iptables", "bridged-through-iptables"])
def pods(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Two pods on a bridge, whose gateway is the host; with br_netfilter's switch off and on."""
    with lab("hairpin") as made:
        made.add("host", "one", "two")
        made["host"].ip("link add br0 type bridge", "addr add 10.1.0.1/24 dev br0", "link set br0 up")
        made["host"].ip("addr add fd00:1::1/64 dev br0 nodad")
        for number, name in enumerate(("one", "two"), start=2):
            made.connect(("host", f"veth{name}"), (name, "eth0"))
            made["host"].ip(f"link set veth{name} master br0")
            made[name].ip(f"addr add 10.1.0.{number}/24 dev eth0", "route add default via 10.1.0.1")
            made[name].ip(f"addr add fd00:1::{number}/64 dev eth0 nodad", "route add default via fd00:1::1")
            made.serve(name, "tcp:8080")
        made["host"].sysctls(
            {
                "net/ipv4/ip_forward": 1,
                "net/bridge/bridge-nf-call-iptables": request.param,
                "net/bridge/bridge-nf-call-ip6tables": request.param,
                "net/ipv6/conf/all/forwarding": 1,
                "net/ipv4/conf/all/send_redirects": 0,
                "net/ipv4/conf/br0/send_redirects": 0,
            }
        )
        yield made


def test_a_service_on_another_pod_of_the_bridge(pods: Lab, program: str) -> None:
    """Past iptables, the answer is bridged straight to the client, which does not know the server."""
    pods.load("host", program, RULES.format(pod=3))

    expected = predicted(pods, "one", SERVICE, 80)

    assert expected == {happened(pods, "one", SERVICE, 80)}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("pod", [2, 3])
def test_a_service_without_forwarding(pods: Lab, program: str, version: int, pod: int) -> None:
    """IPv4 loses a bridged frame whose destination a rule changed; IPv6 bridges it on."""
    rules, service = RULES.format(pod=pod), SERVICE
    if version == 6:
        program, service = f"ip6{program.removeprefix('ip')}", "fd00:96::1"
        rules = rules.replace(SERVICE, service).replace(f"10.1.0.{pod}:8080", f"[fd00:1::{pod}]:8080")
        rules = rules.replace(f"10.1.0.{pod}", f"fd00:1::{pod}")
    pods.load("host", program, rules)
    pods["host"].ip("link set vethone type bridge_slave hairpin on")
    pods["host"].sysctls({"net/ipv4/ip_forward": 0, "net/ipv6/conf/all/forwarding": 0})

    expected = predicted(pods, "one", service, 80)

    assert expected == {happened(pods, "one", service, 80)}


@pytest.mark.parametrize("hairpin", ["off", "on"])
def test_a_pod_reaches_itself_through_its_service(pods: Lab, program: str, hairpin: str) -> None:
    """The frame goes back out of the port that it came in by."""
    pods.load("host", program, RULES.format(pod=2))
    pods["host"].ip(f"link set vethone type bridge_slave hairpin {hairpin}")

    expected = predicted(pods, "one", SERVICE, 80)

    assert expected == {happened(pods, "one", SERVICE, 80)}


def test_a_bridged_frame_meets_forward_only_with_br_netfilter(pods: Lab, program: str) -> None:
    """A drop in FORWARD stops pods of one bridge exactly if the switch is on."""
    pods.load("host", program, "*filter\n-A FORWARD -d 10.1.0.3 -j DROP\nCOMMIT\n")

    expected = predicted(pods, "one", "10.1.0.3", 8080)

    assert expected == {happened(pods, "one", "10.1.0.3", 8080)}


def test_the_loser_of_hairpin_mode_is_named(pods: Lab, program: str) -> None:
    """Through iptables without hairpin mode, the port is the evidence."""
    pods.load("host", program, RULES.format(pod=2))
    paths = walk(pods, "one", question(SERVICE, 80))

    with pods.node() as node:
        through = node.host().sysctl("net/bridge/bridge-nf-call-iptables") == "1"
    expected = Verdict.DROPPED if through else Verdict.DELIVERED
    assert [path.ending.verdict for path in paths] == [expected]
    assert ("hairpin" in paths[0].ending.reason) == through
