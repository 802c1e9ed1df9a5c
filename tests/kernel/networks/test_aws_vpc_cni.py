"""Pods of the AWS VPC CNI: addresses of their own from the VPC, behind two network interfaces of the node.

The node's state is what these files of aws/amazon-vpc-cni-k8s make:
- cmd/routed-eni-cni-plugin/driver/driver.go: the pod's route and neighbour 169.254.1.1, `podIP dev eni… scope link`, and
  rules 512 (to a pod: main) and 1536 (from a pod of a secondary interface: its table);
- pkg/networkutils/network.go: rule 1024 (mark 0x80: main), table 2 of the second interface, whose subnet leaves main,
  AWS-SNAT-CHAIN-0 (--random-fully), AWS-CONNMARK-CHAIN-0, the mark 0x80 in mangle PREROUTING; before 1.12 there was
  one AWS-SNAT-CHAIN-n for each CIDR of the VPC;
- pkg/networkutils/nftables_connmark.go: the newer table `aws-cni` in the place of AWS-CONNMARK-CHAIN-0;
- cmd/aws-vpc-cni-init/main.go: rp_filter 2 on the primary interface.
"""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, lab
from kernel.networks.agreement import Told, assert_agrees, fails, routed
from kernel.networks.pods import digest_of, join, mac_of, speak_for_others

from kubectl_packetpath.trace import Verdict

pytestmark = pytest.mark.kernel

NODE, SECOND = "10.0.0.10", "10.0.0.20"
ONE, TWO, THERE = "10.0.0.11", "10.0.0.21", "10.0.0.31"
PODS = {"one": ONE, "two": TWO}
"""`one` is behind the primary interface, `two` behind the second."""
INTERNET, EXCLUDED = "203.0.113.9", "172.16.9.9"
NODE_PORT = 30080
ON_THE_WIRE = {"eth0": (NODE, ONE), "eth1": (SECOND, TWO)}

CONNMARK = """
*mangle
-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in \
-j CONNMARK --set-xmark 0x80/0x80
-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
COMMIT
"""
SERVICE = f"""
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-EXT-WEB - [0:0]
:KUBE-SVL-WEB - [0:0]
:KUBE-SEP-TWO - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" \
-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport {NODE_PORT} -j KUBE-EXT-WEB
-A KUBE-EXT-WEB -j KUBE-SVL-WEB
-A KUBE-SVL-WEB -m comment --comment "default/web -> {TWO}:80" -j KUBE-SEP-TWO
-A KUBE-SEP-TWO -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination {TWO}:80
"""
"""A node port with `externalTrafficPolicy: Local`: the client keeps its address."""
PREROUTING = """
-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
"""
SNAT = f'-m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source {NODE} --random-fully'
MARK = '-m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80'
ONE_CHAIN = f"""{CONNMARK}
*nat
:AWS-SNAT-CHAIN-0 - [0:0]
:AWS-CONNMARK-CHAIN-0 - [0:0]
{SERVICE}{PREROUTING}
-A AWS-SNAT-CHAIN-0 -d 172.16.0.0/12 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN
-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-A AWS-SNAT-CHAIN-0 ! -o vlan+ {SNAT}
-A AWS-CONNMARK-CHAIN-0 -d 172.16.0.0/12 -m comment --comment "AWS CONNMARK CHAIN, EXCLUDED CIDR" -j RETURN
-A AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j RETURN
-A AWS-CONNMARK-CHAIN-0 {MARK}
COMMIT
"""
CHAIN_FOR_EACH = f"""{CONNMARK}
*nat
:AWS-SNAT-CHAIN-0 - [0:0]
:AWS-SNAT-CHAIN-1 - [0:0]
:AWS-SNAT-CHAIN-2 - [0:0]
:AWS-CONNMARK-CHAIN-0 - [0:0]
:AWS-CONNMARK-CHAIN-1 - [0:0]
:AWS-CONNMARK-CHAIN-2 - [0:0]
{SERVICE}{PREROUTING}
-A AWS-SNAT-CHAIN-0 ! -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-1
-A AWS-SNAT-CHAIN-1 ! -d 172.16.0.0/12 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j AWS-SNAT-CHAIN-2
-A AWS-SNAT-CHAIN-2 ! -o vlan+ {SNAT}
-A AWS-CONNMARK-CHAIN-0 ! -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j AWS-CONNMARK-CHAIN-1
-A AWS-CONNMARK-CHAIN-1 ! -d 172.16.0.0/12 -m comment --comment "AWS CONNMARK CHAIN, EXCLUDED CIDR" \
-j AWS-CONNMARK-CHAIN-2
-A AWS-CONNMARK-CHAIN-2 {MARK}
COMMIT
"""
BY_NFTABLES = """
table ip aws-cni {
  chain nat-prerouting {
    type nat hook prerouting priority -90; policy accept;
    fib daddr type local return
    iifname "eni*" counter jump snat-mark
    ct mark & 0x80 == 0x0 counter meta mark set meta mark & 0xffffff7f
    ct mark & 0x80 == 0x80 counter meta mark set meta mark | 0x80
  }
  chain snat-mark {
    counter ip daddr 172.16.0.0/12 return
    counter ip daddr 10.0.0.0/16 return
    counter ct mark set ct mark | 0x80
  }
}
"""
NOTHING = "*nat\nCOMMIT\n*mangle\nCOMMIT\n"
EXTERNAL = f"{CONNMARK}\n*nat\n{SERVICE}COMMIT\n"
"""AWS_VPC_K8S_CNI_EXTERNALSNAT=true: a gateway of the VPC translates."""


FILTERED = "the way back to 10.0.0.10 does not go by eth1 (reverse path filter)"


def veth(pod: str) -> str:
    """The host's end of a pod's veth (pkg/networkutils/names.go)."""
    return f"eni{digest_of(pod)}"


def add_pod(made: Lab, host: str, pod: str, address: str, table: int | None = None) -> None:
    """What the plugin does for a pod."""
    join(made, host, pod, veth(pod), address)
    made[host].ip(f"rule add to {address} priority 512 table main")
    if table is not None:
        made[host].ip(f"rule add from {address} priority 1536 table {table}")


@pytest.fixture(scope="module")
def wired() -> Iterator[Lab]:
    """A node with two interfaces in a VPC, a pod behind each, another node, and the internet."""
    with lab("aws") as made:
        made.add("host-aws", "one", "two", "vpc", "other", "there", "internet")
        for device, wire in ON_THE_WIRE.items():
            made.connect(("host-aws", device), ("vpc", device))
            made["host-aws"].ip(f"addr add {wire[0]}/20 dev {device}")
            made["vpc"].ip(f"addr add 10.0.0.1/32 dev {device}", *_delivers(*wire, device))
        made["host-aws"].ip(
            "route add default via 10.0.0.1 dev eth0",
            f"route del 10.0.0.0/20 dev eth1 src {SECOND}",
            "route add 10.0.0.1 dev eth1 scope link table 2",
            "route add default via 10.0.0.1 dev eth1 table 2",
            "rule add fwmark 0x80/0x80 priority 1024 table main",
        )
        made["host-aws"].ip(f"neigh add 10.0.0.1 lladdr {mac_of(made, 'vpc', 'eth1')} dev eth1 nud permanent")
        add_pod(made, "host-aws", "one", ONE)
        add_pod(made, "host-aws", "two", TWO, table=2)
        _add_others(made)
        made["host-aws"].sysctls({"net/ipv4/ip_forward": 1})
        yield made


@pytest.fixture
def node(wired: Lab) -> Lab:
    """The node with its rules, whatever another test has made of it."""
    wired["host-aws"].sysctls({"net/ipv4/conf/eth0/rp_filter": 2})
    wired.load("host-aws", "iptables-legacy-restore", NOTHING)
    wired.load("host-aws", "iptables-nft-restore", ONE_CHAIN)
    return wired


def _add_others(made: Lab) -> None:
    """What is around the node; the VPC drops what comes from an interface that has not the packet's source."""
    made.connect(("other", "eth0"), ("vpc", "other"))
    made["other"].ip("addr add 10.0.0.30/20 dev eth0", "route add default via 10.0.0.1")
    made["vpc"].ip("addr add 10.0.0.1/32 dev other", *_delivers("10.0.0.30", THERE, "other"))
    add_pod(made, "other", "there", THERE)
    made.connect(("internet", "eth0"), ("vpc", "internet"))
    made["vpc"].ip("addr add 198.51.100.1/24 dev internet", "route add default via 198.51.100.2")
    made["internet"].ip(
        "addr add 198.51.100.2/24 dev eth0",
        *(f"addr add {each}/32 dev lo" for each in (INTERNET, EXCLUDED)),
        "route add default via 198.51.100.1",
    )
    for name in ("vpc", "other"):
        made[name].sysctls({"net/ipv4/ip_forward": 1})
    for device in (*ON_THE_WIRE, "other"):
        speak_for_others(made, "vpc", device)
    made["vpc"].sysctls({f"net/ipv4/conf/{each}/rp_filter": 1 for each in ON_THE_WIRE})
    for name in ("one", "two", "there", "internet"):
        made.serve(name, "tcp:80")


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


def _delivers(own: str, pod: str, device: str) -> tuple[str, str]:
    """The VPC knows the interface of each address: it asks for none but the interface's own."""
    return f"route add {own} dev {device}", f"route add {pod} via {own} dev {device}"


def _facts(said: Told) -> list[str]:
    return routed(said.asked)
