"""Pods of Weave Net: the bridge `weave` on each node, Weave's chains for translation and for policies.

The node's state is what these files of weaveworks/weave make, and how `iptables-save` prints it:
- net/bridge.go: the bridge, the veth `vethwe-bridge` to the other nodes' wire, MTU 1376, the jumps in FORWARD and the two
  rules that log and drop what no policy let in;
- net/expose.go, plugin/net/cni.go: chain WEAVE in nat; the gateway of pods is the bridge's own address;
- prog/weave-npc/main.go, npc/constants.go: WEAVE-NPC, -DEFAULT, -INGRESS, -EGRESS…, the mark 0x40000;
- npc/rule.go, npc/namespace.go: comments, one set for each selector (hash:ip) and namespace (hash:ip);
- npc/shortname.go: names of sets are `weave-` and a hash in base 85, with all its odd characters.
The wire behind `vethwe-bridge` belongs to Open vSwitch (`datapath`), or to weaver, which captures there.
"""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab
from kernel.networks.agreement import assert_agrees, fails
from kernel.networks.bridges import NODE, OUTSIDE, Shape, bridged
from kernel.networks.pods import load_sets

from kubectl_packetpath.trace import Verdict

pytestmark = pytest.mark.kernel

PODS = {"web": "10.32.0.2", "friend": "10.32.0.3", "stranger": "10.32.0.4", "quiet": "10.32.0.5"}
SHAPE = Shape(bridge="weave", gateway="10.32.0.1/12", pods=PODS, prefix="vethwepl")
FAR = "10.40.0.2"

WEB, FRIENDS = "weave-k?Z;25^M}|1s7P3|H9i;*;MhG", "weave-iuZcey(5DeXbzgRFs8Szo]+@p"
OPEN, TALKERS = "weave-4vtqMI+kx/2]jD%_c0S%thO%V", "weave-s_+ChJId4Uy_$}G;WdH|~TK)I"
SETS = f"""
create {WEB} hash:ip family inet comment
create {FRIENDS} hash:ip family inet comment
create {OPEN} hash:ip family inet comment
create {TALKERS} hash:ip family inet comment
add {WEB} {PODS["web"]} comment "namespace: default, pod: web"
add {FRIENDS} {PODS["friend"]} comment "namespace: default, pod: friend"
add {OPEN} {PODS["stranger"]} comment "namespace: open, pod: stranger"
add {TALKERS} {PODS["friend"]} comment "namespace: default, pod: friend"
add {TALKERS} {PODS["stranger"]} comment "namespace: open, pod: stranger"
add {TALKERS} {PODS["web"]} comment "namespace: default, pod: web"
"""
NOTE = "-m comment --comment \"NOTE: this must go before '-j KUBE-FORWARD'\""
UNMARKED = "-m mark ! --mark 0x40000/0x40000"
ACCEPT = "DefaultAllow egress isolation for namespace: default"
CHAINS = ("", "-DEFAULT", "-INGRESS", "-EGRESS", "-EGRESS-ACCEPT", "-EGRESS-CUSTOM", "-EGRESS-DEFAULT")
RULES = f"""
*nat
:WEAVE - [0:0]
-A POSTROUTING -j WEAVE
-A WEAVE -s 10.32.0.0/12 -d 224.0.0.0/4 -j RETURN
-A WEAVE ! -s 10.32.0.0/12 -d 10.32.0.0/12 -j MASQUERADE
-A WEAVE -s 10.32.0.0/12 ! -d 10.32.0.0/12 -j MASQUERADE
COMMIT
*filter
{chr(10).join(f":WEAVE-NPC{each} - [0:0]" for each in CHAINS)}
-A INPUT -i weave -j WEAVE-NPC-EGRESS
-A FORWARD -i weave {NOTE} -j WEAVE-NPC-EGRESS
-A FORWARD -o weave {NOTE} -j WEAVE-NPC
-A FORWARD -o weave -m state --state NEW -j NFLOG --nflog-group 86
-A FORWARD -o weave -j DROP
-A FORWARD -i weave ! -o weave -j ACCEPT
-A FORWARD -o weave -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A WEAVE-NPC -m state --state RELATED,ESTABLISHED -j ACCEPT
-A WEAVE-NPC -d 224.0.0.0/4 -j ACCEPT
-A WEAVE-NPC -m physdev --physdev-out vethwe-bridge -j ACCEPT
-A WEAVE-NPC -m state --state NEW -j WEAVE-NPC-DEFAULT
-A WEAVE-NPC -m state --state NEW -j WEAVE-NPC-INGRESS
-A WEAVE-NPC-DEFAULT -m set --match-set {OPEN} dst \
-m comment --comment "DefaultAllow ingress isolation for namespace: open" -j ACCEPT
-A WEAVE-NPC-INGRESS -p tcp -m set --match-set {FRIENDS} src -m set --match-set {WEB} dst -m tcp --dport 80 \
-m comment --comment "pods: namespace: default, selector: role=friend -> pods: namespace: default, selector: app=web (ingress)" \
-j ACCEPT
-A WEAVE-NPC-EGRESS -m state --state RELATED,ESTABLISHED -j ACCEPT
-A WEAVE-NPC-EGRESS -m physdev --physdev-in vethwe-bridge -j RETURN
-A WEAVE-NPC-EGRESS -d 224.0.0.0/4 -j RETURN
-A WEAVE-NPC-EGRESS -m state --state NEW -j WEAVE-NPC-EGRESS-DEFAULT
-A WEAVE-NPC-EGRESS -m state --state NEW {UNMARKED} -j WEAVE-NPC-EGRESS-CUSTOM
-A WEAVE-NPC-EGRESS -m state --state NEW {UNMARKED} -j NFLOG --nflog-group 86
-A WEAVE-NPC-EGRESS {UNMARKED} -j DROP
-A WEAVE-NPC-EGRESS-ACCEPT -j MARK --set-xmark 0x40000/0x40000
-A WEAVE-NPC-EGRESS-DEFAULT -m set --match-set {TALKERS} src -m comment --comment "{ACCEPT}" -j WEAVE-NPC-EGRESS-ACCEPT
-A WEAVE-NPC-EGRESS-DEFAULT -m set --match-set {TALKERS} src -m comment --comment "{ACCEPT}" -j RETURN
COMMIT
"""


@pytest.fixture(scope="module")
def node() -> Iterator[Lab]:
    """A node with four pods; `vethwe-bridge` leads to a pod of another node, as if nobody were in between."""
    with bridged("weave", SHAPE) as made:
        made.add("beyond")
        made.connect(("host-weave", "vethwe-bridge"), ("beyond", "eth0"))
        made["host-weave"].ip("link set vethwe-bridge master weave")
        made["beyond"].ip(f"addr add {FAR}/12 dev eth0", "route add default via 10.32.0.1")
        load_sets(made, "host-weave", SETS)
        made.load("host-weave", "iptables-nft-restore", RULES)
        for name in ("web", "stranger", "beyond", "outside"):
            made.serve(name, "tcp:80", "tcp:81")
        yield made


@pytest.mark.parametrize(
    ("target", "chain"), [("web", "WEAVE-NPC-INGRESS"), ("stranger", "WEAVE-NPC-DEFAULT")]
)
def test_a_policy_lets_in(node: Lab, target: str, chain: str) -> None:
    """By a rule for both selectors, or because the receiver's namespace is open."""
    said = assert_agrees(node, "friend", PODS[target], 80)

    assert said.result == ("reached", target, PODS["friend"])
    assert {"WEAVE-NPC-EGRESS-ACCEPT", chain} <= said.chains()


@pytest.mark.parametrize(("client", "port"), [("stranger", 80), ("friend", 81)])
def test_what_no_policy_lets_in_is_dropped(node: Lab, client: str, port: int) -> None:
    """The chains only accept; the rule behind them in FORWARD drops."""
    said = assert_agrees(node, client, PODS["web"], port)

    (last,) = said.asked.hops[-1].steps[-1].because
    assert said.asked.ending.verdict is Verdict.DROPPED
    assert last.text == "-A FORWARD -o weave -j DROP"


def test_a_pod_that_may_not_speak(node: Lab) -> None:
    """Without the mark 0x40000 what it sends is dropped before the receiver is asked."""
    said = assert_agrees(node, "quiet", PODS["stranger"], 80)

    (last,) = said.asked.hops[-1].steps[-1].because
    assert last.text == "-A WEAVE-NPC-EGRESS -m mark ! --mark 0x40000/0x40000 -j DROP"


def test_to_another_node(node: Lab) -> None:
    """What leaves by vethwe-bridge is for the other node to judge."""
    said = assert_agrees(node, "friend", FAR, 80)

    assert said.result == ("reached", "beyond", PODS["friend"])
    assert any("--physdev-out vethwe-bridge" in text for text in said.rules().values())


def test_what_leaves_the_network_is_masqueraded(node: Lab) -> None:
    """Chain WEAVE translates what goes out of its range."""
    said = assert_agrees(node, "friend", OUTSIDE, 80)

    assert said.result == ("reached", "outside", NODE)
    assert "WEAVE" in said.chains()


def test_the_node_reaches_the_pods(node: Lab) -> None:
    """Nothing of Weave's stands in OUTPUT."""
    assert assert_agrees(node, "host-weave", PODS["web"], 81).result == ("reached", "web", "10.32.0.1")


def test_without_forwarding_nothing_leaves(node: Lab) -> None:
    """Bridged packets do not mind, routed ones do."""
    node["host-weave"].sysctls({"net/ipv4/ip_forward": 0})
    said = fails(node, "friend", OUTSIDE, 80)
    beside = assert_agrees(node, "friend", PODS["web"], 80)
    node["host-weave"].sysctls({"net/ipv4/ip_forward": 1})

    assert said.asked.ending.verdict is Verdict.DROPPED
    assert beside.result == ("reached", "web", PODS["friend"])
