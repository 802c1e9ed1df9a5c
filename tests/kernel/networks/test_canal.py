"""Pods of Canal: flannel carries their packets from node to node, Calico's chains judge them.

The nodes' state is what these programs make:
- flannel-io/flannel pkg/backend/vxlan: flannel.1, one route, neighbour and forwarding entry for each other node;
  pkg/trafficmngr/iptables/iptables.go: FLANNEL-POSTRTG and FLANNEL-FWD;
- projectcalico/calico manifests/canal.yaml: Calico's plugin with host-local addresses, no routing of its own;
  cni-plugin/pkg/dataplane/linux: veth `cali…`, 169.254.1.1 by proxy ARP, the node's route to each pod;
  felix/rules/static.go, dispatch.go, endpoints.go, policy.go: the chains, their order and the marks 0x10000 (accepted)
  and 0x20000 (passed on); felix/rules/policy.go and endpoints.go write the comments;
  felix/ipsets: `cali40s:` and a hash, hash:net.
"""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, lab
from kernel.networks.agreement import assert_agrees, fails
from kernel.networks.pods import digest_of, join, load_sets, mac_of, speak_for_others

from kubectl_packetpath.dialects.cnis.calico import policy_chain
from kubectl_packetpath.trace import StepKind, Verdict
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

NODES = {"host-canal": "192.168.9.1", "other": "192.168.9.2"}
RANGES = {"host-canal": "10.244.1", "other": "10.244.2"}
PODS = {"web": "10.244.1.2", "near": "10.244.1.3", "friend": "10.244.2.2", "stranger": "10.244.2.3"}
OUTSIDE = "192.168.9.9"
FRIENDS = "cali40s:7aXqDnEkJdkpb4WJNYxTYZ4"
SETS = f"create {FRIENDS} hash:net family inet\nadd {FRIENDS} {PODS['friend']}\n"
POLICY = policy_chain("default", "web", "ingress")
ACCEPTED = "-m mark --mark 0x10000/0x10000"


def veth(pod: str) -> str:
    """The host's end of a pod's veth."""
    return f"cali{digest_of(pod)}"


def to_pod(pod: str, policies: str) -> str:
    """What judges packets to a pod, and from it."""
    head, tail = f"-A cali-tw-{veth(pod)}", f"-A cali-fw-{veth(pod)}"
    profile = '-m comment --comment "Drop if no profiles matched" -j DROP'
    return f"""
-A cali-to-wl-dispatch -o {veth(pod)} -g cali-tw-{veth(pod)}
-A cali-from-wl-dispatch -i {veth(pod)} -g cali-fw-{veth(pod)}
{head} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{head} -m conntrack --ctstate INVALID -j DROP
{head} -j MARK --set-xmark 0x0/0x10000
{policies.replace("HEAD", head)}
{head} -j cali-pri-kns.default
{head} -m comment --comment "Return if profile accepted" {ACCEPTED} -j RETURN
{head} {profile}
{tail} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{tail} -m conntrack --ctstate INVALID -j DROP
{tail} -j MARK --set-xmark 0x0/0x10000
{tail} -p udp -m comment --comment "Drop VXLAN encapped packets originating in workloads" -m multiport --dports 4789 -j DROP
{tail} -p ipencap -m comment --comment "Drop IPinIP encapped packets originating in workloads" -j DROP
{tail} -j cali-pro-kns.default
{tail} -m comment --comment "Return if profile accepted" {ACCEPTED} -j RETURN
{tail} {profile}
"""


JUDGED = f"""
HEAD -m comment --comment "Start of policies" -j MARK --set-xmark 0x0/0x20000
HEAD -m mark --mark 0x0/0x20000 -j {POLICY}
HEAD -m comment --comment "Return if policy accepted" {ACCEPTED} -j RETURN
HEAD -m comment --comment "Drop if no policies passed packet" -m mark --mark 0x0/0x20000 -j DROP
"""
LOCAL = ("web", "near")
CHAINS = (
    *(f"cali-{each}" for each in ("FORWARD", "INPUT", "from-wl-dispatch", "to-wl-dispatch", "wl-to-host")),
    *("cali-pri-kns.default", "cali-pro-kns.default", POLICY, "FLANNEL-FWD"),
    *(f"cali-{way}w-{veth(pod)}" for way in "ft" for pod in LOCAL),
)
RULES = f"""
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
*filter
:FORWARD DROP [0:0]
{chr(10).join(f":{each} - [0:0]" for each in CHAINS)}
-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FORWARD -m comment --comment "Policy explicitly accepted packet." {ACCEPTED} -j ACCEPT
-A FORWARD -m comment --comment "cali:mp77cMpurHhyjLrM" -j MARK --set-xmark 0x10000/0x10000
-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A cali-FORWARD -j MARK --set-xmark 0x0/0xe0000
-A cali-FORWARD -i cali+ -j cali-from-wl-dispatch
-A cali-FORWARD -o cali+ -j cali-to-wl-dispatch
-A cali-INPUT -i cali+ -g cali-wl-to-host
-A cali-wl-to-host -j cali-from-wl-dispatch
-A cali-wl-to-host -m comment --comment "Configured DefaultEndpointToHostAction" -j ACCEPT
{to_pod("web", JUDGED)}{to_pod("near", "")}
-A cali-from-wl-dispatch -m comment --comment "Unknown interface" -j DROP
-A cali-to-wl-dispatch -m comment --comment "Unknown interface" -j DROP
-A cali-pri-kns.default -m comment --comment "Profile kns.default ingress" -j MARK --set-xmark 0x10000/0x10000
-A cali-pri-kns.default {ACCEPTED} -j RETURN
-A cali-pro-kns.default -m comment --comment "Profile kns.default egress" -j MARK --set-xmark 0x10000/0x10000
-A cali-pro-kns.default {ACCEPTED} -j RETURN
-A {POLICY} -p tcp -m comment --comment "Policy default/knp.default.web ingress" -m set --match-set {FRIENDS} src \
-m multiport --dports 80 -j MARK --set-xmark 0x10000/0x10000
-A {POLICY} {ACCEPTED} -j RETURN
COMMIT
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Lab]:
    """Two nodes on one wire; the first has Calico's and flannel's rules."""
    with lab("canal") as made:
        made.add("host-canal", "web", "near", "wire", "other", "friend", "stranger", "outside")
        made["wire"].ip("link add br0 type bridge", "link set br0 up")
        for each, address in (*NODES.items(), ("outside", OUTSIDE)):
            made.connect((each, "eth0"), ("wire", each))
            made["wire"].ip(f"link set {each} master br0")
            made[each].ip(f"addr add {address}/24 dev eth0")
        for pod, address in PODS.items():
            host = "host-canal" if pod in LOCAL else "other"
            join(made, host, pod, veth(pod), address, neighbour=False)
            speak_for_others(made, host, veth(pod))
        for node, own in NODES.items():
            made[node].sysctls({"net/ipv4/ip_forward": 1})
            made[node].ip(
                f"route add default via {OUTSIDE}",
                f"link add flannel.1 type vxlan id 1 local {own} dev eth0 dstport 8472 nolearning",
                f"addr add {RANGES[node]}.0/32 dev flannel.1",
                "link set flannel.1 up",
            )
        _know_each_other(made)
        load_sets(made, "host-canal", SETS)
        made.load("host-canal", "iptables-nft-restore", RULES)
        for name in ("web", "near", "friend", "outside"):
            made.serve(name, "tcp:80", "tcp:81")
        yield made


def _know_each_other(made: Lab) -> None:
    """Route, neighbour and forwarding entry for the other node."""
    for node, other in (("host-canal", "other"), ("other", "host-canal")):
        mac, there = mac_of(made, other, "flannel.1"), f"{RANGES[other]}.0"
        made[node].ip(
            f"route add {there}/24 via {there} dev flannel.1 onlink",
            f"neigh add {there} lladdr {mac} dev flannel.1 nud permanent",
        )
        words = f"fdb append {mac} dev flannel.1 dst {NODES[other]} self permanent".split()
        succeed([*made[node].enter, "bridge", *words])


def test_a_policy_lets_in_what_comes_by_the_tunnel(nodes: Lab) -> None:
    """Unwrapped, judged by Calico's chains, accepted by the mark 0x10000; the answer is wrapped again."""
    said = assert_agrees(nodes, "friend", PODS["web"], 80)

    assert said.result == ("reached", "web", PODS["friend"])
    assert "host-canal/flannel.1" in said.places()
    assert any(f"-A {POLICY} " in text for text in said.rules().values())
    assert said.back is not None
    assert StepKind.ENCAPSULATED in {step.kind for hop in said.back.hops for step in hop.steps}


@pytest.mark.parametrize(("client", "port"), [("stranger", 80), ("friend", 81), ("near", 80)])
def test_what_no_policy_passes_is_dropped(nodes: Lab, client: str, port: int) -> None:
    """From the other node or from this one."""
    said = assert_agrees(nodes, client, PODS["web"], port)

    (last,) = said.asked.hops[-1].steps[-1].because
    assert said.asked.ending.verdict is Verdict.DROPPED
    assert "Drop if no policies passed packet" in last.text


def test_to_another_node_through_the_tunnel(nodes: Lab) -> None:
    """Between pods' ranges nothing is translated."""
    assert assert_agrees(nodes, "web", PODS["friend"], 80).result == ("reached", "friend", PODS["web"])


def test_what_leaves_the_cluster_is_masqueraded(nodes: Lab) -> None:
    """By flannel's chain, to the node's address."""
    said = assert_agrees(nodes, "web", OUTSIDE, 80)

    assert said.result == ("reached", "outside", NODES["host-canal"])
    assert "FLANNEL-POSTRTG" in said.chains()


def test_without_proxy_arp_the_pod_has_no_gateway(nodes: Lab) -> None:
    """Calico gives its pods no neighbour for 169.254.1.1."""
    nodes["host-canal"].sysctls({f"net/ipv4/conf/{veth('near')}/proxy_arp": 0})
    nodes["near"].ip("neigh flush dev eth0")
    said = fails(nodes, "near", PODS["friend"], 80)
    nodes["near"].ip("neigh flush dev eth0")
    nodes["host-canal"].sysctls({f"net/ipv4/conf/{veth('near')}/proxy_arp": 1})

    assert said.asked.ending.verdict is Verdict.NO_NEIGHBOUR
