"""Pods of kube-router: a bridge on each node, plain routes between the nodes, policies in chains of its own.

The node's state is what these files of cloudnativelabs/kube-router make:
- daemonset manifests (daemonset/*.yaml): the bridge plugin with `kube-bridge`;
- pkg/controllers/routing: `podCIDR via node` of routing protocol 17, MASQUERADE by the sets kube-router-pod-subnets and
  kube-router-node-ips (no tunnel is needed here, since the nodes share a subnet);
- pkg/controllers/netpol/pod.go: KUBE-POD-FW-…, its rules and their order, the mark 0x20000 in the end;
- pkg/controllers/netpol/policy.go: KUBE-NWPLCY-…, which marks with 0x10000 and returns, sets KUBE-SRC-… and KUBE-DST-…;
- pkg/controllers/netpol/npc_iptables.go: KUBE-ROUTER-INPUT, -FORWARD and -OUTPUT, KUBE-NWPLCY-DEFAULT, and the last rule
  that accepts by the mark 0x20000.
"""

import base64
import hashlib
from collections.abc import Iterator

import pytest
from kernel.lab import Lab
from kernel.networks.agreement import assert_agrees, routed
from kernel.networks.bridges import NODE, OTHER, OUTSIDE, Shape, bridged
from kernel.networks.pods import load_sets

from kubectl_packetpath.trace import Verdict

pytestmark = pytest.mark.kernel

PODS = {"web": "10.1.0.2", "friend": "10.1.0.3", "stranger": "10.1.0.4"}
SHAPE = Shape(
    bridge="kube-bridge",
    gateway="10.1.0.1/24",
    pods=PODS,
    prefix="veth",
    to_far=f"route add 10.1.9.0/24 via {OTHER} dev eth0 proto 17",
)


def named(prefix: str, *words: str) -> str:
    """A chain's or a set's name."""
    return prefix + base64.b32encode(hashlib.sha256("".join(words).encode()).digest()).decode()[:16]


POLICY = named("KUBE-NWPLCY-", "default", "web", "1", "IPv4")
TARGETS = named("KUBE-DST-", "default", "web")
FRIENDS, BLOCKS = (named("KUBE-SRC-", "default", "web", kind) for kind in ("rule0pod", "rule1ipblock"))
SETS = f"""
create {TARGETS} hash:ip family inet timeout 0
create {FRIENDS} hash:ip family inet timeout 0
create {BLOCKS} hash:net family inet timeout 0
create kube-router-pod-subnets hash:net family inet timeout 0
create kube-router-node-ips hash:ip family inet timeout 0
add {TARGETS} {PODS["web"]}
add {FRIENDS} {PODS["friend"]}
add {BLOCKS} 10.1.9.0/24
add kube-router-pod-subnets 10.1.0.0/24
add kube-router-pod-subnets 10.1.9.0/24
add kube-router-node-ips {NODE}
add kube-router-node-ips {OTHER}
"""


def guard(pod: str) -> str:
    """A pod's chain."""
    return named("KUBE-POD-FW-", "default", pod, "1")


def firewall(pod: str, ingress: str) -> str:
    """The rules of a pod's chain, with the one that asks about what comes to the pod."""
    chain, address = f"-A {guard(pod)}", PODS[pod]
    unmarked = "-m mark ! --mark 0x10000/0x10000"
    local = "rule to permit the traffic traffic to pods when source is the pod's local node"
    return f"""
{chain} -m comment --comment "rule for stateful firewall for pod" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{chain} -m comment --comment "rule to drop invalid state for pod" -m conntrack --ctstate INVALID -j DROP
{chain} -d {address} -m comment --comment "{local}" -m addrtype --src-type LOCAL -j ACCEPT
{chain} -s {address} -m comment --comment "run through default egress network policy chain" -j KUBE-NWPLCY-DEFAULT
{chain} -d {address} {ingress}
{chain} -m comment --comment "rule to log dropped traffic POD name:{pod} namespace: default" {unmarked} \
-m limit --limit 10/min --limit-burst 10 -j NFLOG --nflog-group 100
{chain} -m comment --comment "rule to REJECT traffic destined for POD name:{pod} namespace: default" {unmarked} -j REJECT
{chain} -j MARK --set-xmark 0x0/0x10000
{chain} -m comment --comment "set mark to ACCEPT traffic that comply to network policies" -j MARK --set-xmark 0x20000/0x20000
"""


def jumps(pod: str) -> str:
    """How packets get there: routed and bridged, to the pod and from it."""
    lines = []
    for word, flag in (("destined to", "-d"), ("from", "-s")):
        comment = f'-m comment --comment "rule to jump traffic {word} POD name:{pod} namespace: default to chain {guard(pod)}"'
        chains = ("FORWARD", "OUTPUT") if flag == "-d" else ("INPUT", "FORWARD", "OUTPUT")
        lines += [f"-A KUBE-ROUTER-{each} {flag} {PODS[pod]} {comment} -j {guard(pod)}" for each in chains]
        bridged_too = f"-A KUBE-ROUTER-FORWARD {flag} {PODS[pod]} -m physdev --physdev-is-bridged"
        lines.append(f"{bridged_too} {comment} -j {guard(pod)}")
    return "\n".join(lines)


ACCEPTS = "rule to ACCEPT traffic from"
BY_POLICY = f'-m comment --comment "run through nw policy web" -j {POLICY}'
BY_DEFAULT = '-m comment --comment "run through default ingress network policy chain" -j KUBE-NWPLCY-DEFAULT'
POLICY_RULES = "\n".join(
    f'-A {POLICY} -p tcp -m comment --comment "{ACCEPTS} {who} to dest pods selected by policy name web namespace default" '
    f"-m set --match-set {source} src -m set --match-set {TARGETS} dst -m tcp --dport 80 {rest}"
    for who, source in (("source pods", FRIENDS), ("specified ipBlocks", BLOCKS))
    for rest in ("-j MARK --set-xmark 0x10000/0x10000", "-m mark --mark 0x10000/0x10000 -j RETURN")
)
CHAINS = ("KUBE-NWPLCY-DEFAULT", POLICY, *(f"KUBE-ROUTER-{each}" for each in ("INPUT", "FORWARD", "OUTPUT")))
COMPLIES = (
    '-m comment --comment "KUBE-ROUTER rule to explicitly ACCEPT traffic that comply to network policies"'
)
HOOKS = "\n".join(
    f'-A {each} -m comment --comment "kube-router netpol" -j KUBE-ROUTER-{each}\n'
    f"-A {each} {COMPLIES} -m mark --mark 0x20000/0x20000 -j ACCEPT"
    for each in ("INPUT", "FORWARD", "OUTPUT")
)
RULES = f"""
*nat
-A POSTROUTING -m set --match-set kube-router-pod-subnets src -m set ! --match-set kube-router-pod-subnets dst \
-m set ! --match-set kube-router-node-ips dst -j MASQUERADE --random-fully
COMMIT
*filter
:FORWARD DROP [0:0]
{chr(10).join(f":{each} - [0:0]" for each in (*CHAINS, *map(guard, PODS)))}
{HOOKS}
{chr(10).join(map(jumps, PODS))}
-A KUBE-NWPLCY-DEFAULT -p icmp -m comment --comment "allow icmp echo requests" -m icmp --icmp-type 8 -j ACCEPT
-A KUBE-NWPLCY-DEFAULT -m comment --comment "rule to mark traffic matching a network policy" -j MARK --set-xmark 0x10000/0x10000
{POLICY_RULES}
{"".join(firewall(pod, BY_POLICY if pod == "web" else BY_DEFAULT) for pod in PODS)}
COMMIT
"""


@pytest.fixture(scope="module")
def node() -> Iterator[Lab]:
    """A node with three pods; one has a policy."""
    with bridged("kuberouter", SHAPE) as made:
        load_sets(made, "host-kuberouter", SETS)
        made.load("host-kuberouter", "iptables-nft-restore", RULES)
        for name in ("web", "stranger", "far", "outside"):
            made.serve(name, "tcp:80", "tcp:81")
        yield made


def test_a_bridged_packet_passes_the_policy(node: Lab) -> None:
    """From port to port of one bridge: the rules are asked because br_netfilter asks them."""
    said = assert_agrees(node, "friend", PODS["web"], 80)

    assert said.result == ("reached", "web", PODS["friend"])
    assert {guard("web"), POLICY, "KUBE-ROUTER-FORWARD"} <= said.chains()
    assert any("0x20000/0x20000 -j ACCEPT" in text for text in said.rules().values())


@pytest.mark.parametrize(("client", "port"), [("stranger", 80), ("friend", 81)])
def test_a_bridged_packet_is_rejected(node: Lab, client: str, port: int) -> None:
    """Without the mark 0x10000 the pod's own chain rejects."""
    said = assert_agrees(node, client, PODS["web"], port)

    assert said.result == ("refused", "", "")
    assert said.asked.ending.verdict is Verdict.REJECTED
    assert any("REJECT traffic destined for POD name:web" in text for text in said.rules().values())


def test_from_another_node_by_its_plain_route(node: Lab) -> None:
    """The other node's pods are a range in the policy; the answer goes by the route that BGP has brought."""
    said = assert_agrees(node, "far", PODS["web"], 80)

    assert said.result == ("reached", "web", "10.1.9.2")
    assert POLICY in said.chains()
    assert said.back is not None
    assert f"10.1.9.0/24 via {OTHER} dev eth0 proto 17" in routed(said.back)


def test_to_another_node_nothing_is_translated(node: Lab) -> None:
    """Both ends are pods' addresses, so the set spares them."""
    assert assert_agrees(node, "stranger", "10.1.9.2", 80).result == ("reached", "far", PODS["stranger"])


def test_what_leaves_the_cluster_is_translated(node: Lab) -> None:
    """Neither a pod's nor a node's address: masqueraded."""
    assert assert_agrees(node, "stranger", OUTSIDE, 80).result == ("reached", "outside", NODE)


def test_the_nodes_own_programs_reach_every_pod(node: Lab) -> None:
    """The kubelet's probes pass whatever the policy says."""
    said = assert_agrees(node, "host-kuberouter", PODS["web"], 81)

    assert said.result == ("reached", "web", "10.1.0.1")
    assert any("--src-type LOCAL -j ACCEPT" in text for text in said.rules().values())
