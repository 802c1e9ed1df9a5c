"""The AWS VPC CNI: by which interface, and in whose name, packets of its pods leave; as the kernel does it."""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, lab
from kernel.networks.agreement import Told, assert_agrees, fails, routed
from kernel.networks.aws_vpc import (
    BY_NFTABLES,
    CHAIN_FOR_EACH,
    CONNMARK,
    EXCLUDED,
    EXTERNAL,
    INTERNET,
    NODE,
    NODE_PORT,
    NOTHING,
    ONE,
    ONE_CHAIN,
    PODS,
    THERE,
    TWO,
    build,
    veth,
)
from kernel.networks.pods import mac_of

from kubectl_packetpath.trace import Verdict

pytestmark = pytest.mark.kernel

FILTERED = "the way back to 10.0.0.10 does not go by eth1 (reverse path filter)"


@pytest.fixture(scope="module")
def wired() -> Iterator[Lab]:
    """A node with two interfaces in a VPC, a pod behind each, another node, and the internet."""
    with lab("aws") as made:
        build(made)
        yield made


@pytest.fixture
def node(wired: Lab) -> Lab:
    """The node with its rules, whatever another test has made of it."""
    wired["host-aws"].sysctls({"net/ipv4/conf/eth0/rp_filter": 2})
    wired.load("host-aws", "iptables-legacy-restore", NOTHING)
    wired.load("host-aws", "iptables-nft-restore", ONE_CHAIN)
    return wired


def test_between_pods_of_one_node(node: Lab) -> None:
    """From one veth to the other by the rule for the receiver, whichever interface each belongs to."""
    said = assert_agrees(node, "one", TWO, 80)

    assert said.result == ("reached", "two", ONE)
    assert said.places() == [f"host-aws/{veth('one')}", "two/eth0", f"host-aws/{veth('two')}", "one/eth0"]
    assert f"512: from all to {TWO} lookup main" in _facts(said)


@pytest.mark.parametrize(("pod", "device"), [("one", "eth0"), ("two", "eth1")])
def test_to_another_node_by_the_pods_own_interface(node: Lab, pod: str, device: str) -> None:
    """Nothing is translated within the VPC; the pod of the second interface leaves by that one's table."""
    said = assert_agrees(node, pod, THERE, 80)

    assert said.result == ("reached", "there", PODS[pod])
    assert f"vpc/{device}" in said.places()
    assert (f"1536: from {TWO} lookup 2" in _facts(said)) == (pod == "two")
    assert any(text.startswith("-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16") for text in said.rules().values())


@pytest.mark.parametrize(
    ("program", "rules"),
    [("iptables-nft-restore", ONE_CHAIN), ("iptables-legacy-restore", CHAIN_FOR_EACH)],
    ids=["one chain", "a chain for each range"],
)
def test_to_the_internet_by_the_primary_interface(node: Lab, program: str, rules: str) -> None:
    """The mark 0x80 brings the pod of the second interface to the primary one, whose address it gets."""
    node.load("host-aws", "iptables-nft-restore", NOTHING)
    node.load("host-aws", program, rules)

    said = assert_agrees(node, "two", INTERNET, 80)

    assert said.result == ("reached", "internet", NODE)
    assert "vpc/eth0" in said.places()
    assert "1024: from all fwmark 0x80/0x80 lookup main" in _facts(said)
    assert any("-j SNAT --to-source 10.0.0.10 --random-fully" in text for text in said.rules().values())


def test_marks_of_nftables_bring_it_there_too(node: Lab) -> None:
    """A nat chain after iptables' own sets the mark and copies it, bit for bit."""
    kept = [
        line for line in ONE_CHAIN.splitlines() if "CONNMARK-" not in line and "AWS, CONNMARK" not in line
    ]
    without = "\n".join((*kept, ""))
    node.load("host-aws", "iptables-legacy-restore", without)
    node.load("host-aws", "iptables-nft-restore", NOTHING)
    node.load("host-aws", "nft -f -", BY_NFTABLES)

    said = assert_agrees(node, "two", INTERNET, 80)
    spared = assert_agrees(node, "two", EXCLUDED, 80)
    node.load("host-aws", "nft -f -", "delete table ip aws-cni")

    assert said.result == ("reached", "internet", NODE)
    assert "1024: from all fwmark 0x80/0x80 lookup main" in _facts(said)
    assert spared.result == ("reached", "internet", TWO)


@pytest.mark.parametrize(
    ("rules", "target"), [(CHAIN_FOR_EACH, EXCLUDED), (EXTERNAL, INTERNET)], ids=["excluded", "external"]
)
def test_what_is_not_translated_leaves_by_the_second_interface(node: Lab, rules: str, target: str) -> None:
    """AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS and AWS_VPC_K8S_CNI_EXTERNALSNAT: neither marked nor translated."""
    node.load("host-aws", "iptables-nft-restore", rules)

    said = assert_agrees(node, "two", target, 80)

    assert said.result == ("reached", "internet", TWO)
    assert "vpc/eth1" in said.places()


def test_the_answer_of_a_node_port_returns_by_the_primary_interface(node: Lab) -> None:
    """The connection's mark takes the answer past the pod's own table, to where the client came in."""
    said = assert_agrees(node, "internet", NODE, NODE_PORT)

    assert said.result == ("reached", "two", "198.51.100.2")
    assert said.places()[-2:] == ["vpc/eth0", "internet/eth0"]
    assert said.back is not None
    assert "1024: from all fwmark 0x80/0x80 lookup main" in routed(said.back)


def test_without_the_mark_the_answer_of_a_node_port_is_lost(node: Lab) -> None:
    """AWS_VPC_CNI_NODE_PORT_SUPPORT=false: it leaves by an interface that has not its source, and the VPC drops it."""
    node.load("host-aws", "iptables-nft-restore", ONE_CHAIN.replace(CONNMARK, "*mangle\nCOMMIT\n"))

    said = assert_agrees(node, "internet", NODE, NODE_PORT)

    assert said.places()[-1] == "vpc/eth1"
    assert said.back is not None
    assert said.back.ending.verdict is Verdict.DROPPED


@pytest.mark.parametrize(
    ("announce", "verdict", "reason"),
    [
        (0, Verdict.NO_NEIGHBOUR, f"nobody behind eth1 answers for 10.0.0.1: {FILTERED}"),
        (2, Verdict.DROPPED, FILTERED),
    ],
)
def test_an_answer_that_nobody_tells_the_way(node: Lab, announce: int, verdict: Verdict, reason: str) -> None:
    """Where the interface's router filters strictly, it does not even answer who asks in the other one's name."""
    node["host-aws"].sysctls({"net/ipv4/conf/eth1/arp_announce": announce})
    node["host-aws"].ip("neigh del 10.0.0.1 dev eth1")
    node.load("host-aws", "iptables-nft-restore", ONE_CHAIN.replace(CONNMARK, "*mangle\nCOMMIT\n"))

    said = assert_agrees(node, "internet", NODE, NODE_PORT)
    node["host-aws"].ip("neigh flush dev eth1")
    spared = assert_agrees(node, "two", THERE, 80)
    node["host-aws"].ip(f"neigh replace 10.0.0.1 lladdr {mac_of(node, 'vpc', 'eth1')} dev eth1 nud permanent")

    assert said.back is not None
    assert (said.back.ending.verdict, said.back.ending.reason) == (verdict, reason)
    assert "net.ipv4.conf.eth1.rp_filter = 1" in [fact.text for fact in said.back.hops[-1].steps[-1].because]
    assert spared.result == ("reached", "there", TWO)


def test_a_strict_filter_drops_what_comes_for_a_pod_of_the_other_interface(node: Lab) -> None:
    """The way back from the pod goes by its own table, so a strict filter takes the node port's client for a liar."""
    node["host-aws"].sysctls({"net/ipv4/conf/eth0/rp_filter": 1})

    said = assert_agrees(node, "internet", NODE, NODE_PORT)

    assert said.asked.ending.verdict is Verdict.DROPPED
    assert said.asked.ending.remedy == "sysctl -w net.ipv4.conf.eth0.rp_filter=2"
    texts = [fact.text for fact in said.asked.hops[-1].steps[-1].because]
    assert "net.ipv4.conf.eth0.rp_filter = 1" in texts
    assert f"1536: from {TWO} lookup 2" in texts


def test_without_the_neighbour_the_pod_reaches_nobody(node: Lab) -> None:
    """Nobody answers for 169.254.1.1 here: the node has no such address and does not speak for others."""
    node["there"].ip("neigh del 169.254.1.1 dev eth0")

    said = fails(node, "there", TWO, 80)
    node["there"].ip(
        f"neigh replace 169.254.1.1 lladdr {mac_of(node, 'other', veth('there'))} dev eth0 nud permanent"
    )

    assert said.asked.ending.verdict is Verdict.NO_NEIGHBOUR


def _facts(said: Told) -> list[str]:
    return routed(said.asked)
