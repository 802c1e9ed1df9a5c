"""Pods of the Azure CNI in transparent mode, with the policies of Azure NPM.

The node's state is what these files of Azure/azure-container-networking make:
- network/transparent_endpointclient_linux.go: veth `azv…`, the node's route to each pod, gateway 169.254.1.1 as a static
  neighbour of the pod, proxy ARP at the node's end; network/endpoint_linux.go: the veth's name;
- npm/pkg/dataplane/policies/chain-management_linux.go and policymanager_linux.go: the chains, the order of their rules
  and what each target is; npm/util/const.go: marks 0x200, 0x400 and 0x800, prefixes of sets;
- npm/pkg/dataplane/policies/policy_linux.go, npm/util/util.go: chains and sets are named by FNV-1a of their names;
- npm/pkg/dataplane/ipsets/ipset.go: pods are in hash:net, labels of namespaces in list:set, named ports in hash:ip,port.
"""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, lab
from kernel.networks.agreement import assert_agrees, fails
from kernel.networks.pods import digest_of, join, load_sets, speak_for_others

from kubectl_packetpath.trace import Verdict

pytestmark = pytest.mark.kernel

NODE, NETWORK = "10.224.0.4", "10.224.0.1"
PODS = {"web": "10.224.0.11", "client": "10.224.0.12", "stranger": "10.224.0.13", "locked": "10.224.0.14"}
OUTSIDE, EXCEPTED = "198.51.100.9", "198.51.100.130"


def fnv(name: str) -> int:
    """The hash by which NPM names what it makes."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def ipset(name: str) -> str:
    """A set's name in the kernel."""
    return f"azure-npm-{fnv(name)}"


SETS = f"""
create {ipset("ns-default")} hash:net family inet
create {ipset("podlabel-app:web")} hash:net family inet
create {ipset("podlabel-app:locked")} hash:net family inet
create {ipset("podlabel-role:client")} hash:net family inet
create {ipset("nslabel-team:a")} list:set size 8
create {ipset("namedport:http")} hash:ip,port family inet
create {ipset("cidr-web-in-ns-default-0-1IN")} hash:net family inet
add {ipset("ns-default")} {PODS["web"]}
add {ipset("ns-default")} {PODS["client"]}
add {ipset("ns-default")} {PODS["locked"]}
add {ipset("podlabel-app:web")} {PODS["web"]}
add {ipset("podlabel-app:locked")} {PODS["locked"]}
add {ipset("podlabel-role:client")} {PODS["client"]}
add {ipset("podlabel-role:client")} {PODS["stranger"]}
add {ipset("nslabel-team:a")} {ipset("ns-default")}
add {ipset("namedport:http")} {PODS["web"]},tcp:80
add {ipset("cidr-web-in-ns-default-0-1IN")} 198.51.100.0/24
add {ipset("cidr-web-in-ns-default-0-1IN")} 198.51.100.128/25 nomatch
"""
WEB, LOCKED = fnv("default/web"), fnv("default/locked")
RULES = f"""
*filter
:AZURE-NPM - [0:0]
:AZURE-NPM-INGRESS - [0:0]
:AZURE-NPM-INGRESS-ALLOW-MARK - [0:0]
:AZURE-NPM-EGRESS - [0:0]
:AZURE-NPM-ACCEPT - [0:0]
:AZURE-NPM-INGRESS-{WEB} - [0:0]
:AZURE-NPM-EGRESS-{LOCKED} - [0:0]
-A FORWARD -m conntrack --ctstate NEW -j AZURE-NPM
-A AZURE-NPM -j AZURE-NPM-INGRESS
-A AZURE-NPM -j AZURE-NPM-EGRESS
-A AZURE-NPM -j AZURE-NPM-ACCEPT
-A AZURE-NPM-INGRESS -m set --match-set {ipset("podlabel-app:web")} dst -m set --match-set {ipset("ns-default")} dst \
-m comment --comment "INGRESS-POLICY-default/web-TO-podlabel-app:web-AND-ns-default-IN-ns-default" -j AZURE-NPM-INGRESS-{WEB}
-A AZURE-NPM-INGRESS -m mark --mark 0x400/0x400 -m comment --comment "DROP-ON-INGRESS-DROP-MARK-0x400/0x400" -j DROP
-A AZURE-NPM-INGRESS-{WEB} -m set --match-set {ipset("namedport:http")} dst,dst \
-m set --match-set {ipset("podlabel-role:client")} src -m set --match-set {ipset("nslabel-team:a")} src \
-m comment --comment "ALLOW-FROM-podlabel-role:client-AND-nslabel-team:a-TO-namedport:http" -j AZURE-NPM-INGRESS-ALLOW-MARK
-A AZURE-NPM-INGRESS-{WEB} -p tcp -m tcp --dport 80 \
-m set --match-set {ipset("cidr-web-in-ns-default-0-1IN")} src \
-m comment --comment "ALLOW-FROM-cidr-web-in-ns-default-0-1IN-ON-TCP-TO-PORT-80" -j AZURE-NPM-INGRESS-ALLOW-MARK
-A AZURE-NPM-INGRESS-{WEB} -m comment --comment "DROP-ALL" -j MARK --set-xmark 0x400/0x400
-A AZURE-NPM-INGRESS-ALLOW-MARK -m comment --comment "SET-INGRESS-ALLOW-MARK-0x200/0x200" -j MARK --set-xmark 0x200/0x200
-A AZURE-NPM-INGRESS-ALLOW-MARK -j AZURE-NPM-EGRESS
-A AZURE-NPM-EGRESS -m set --match-set {ipset("podlabel-app:locked")} src -m set --match-set {ipset("ns-default")} src \
-m comment --comment "EGRESS-POLICY-default/locked-FROM-podlabel-app:locked-AND-ns-default-IN-ns-default" \
-j AZURE-NPM-EGRESS-{LOCKED}
-A AZURE-NPM-EGRESS -m mark --mark 0x800/0x800 -m comment --comment "DROP-ON-EGRESS-DROP-MARK-0x800/0x800" -j DROP
-A AZURE-NPM-EGRESS -m mark --mark 0x200/0x200 \
-m comment --comment "ACCEPT-ON-INGRESS-ALLOW-MARK-0x200/0x200" -j AZURE-NPM-ACCEPT
-A AZURE-NPM-EGRESS-{LOCKED} -m comment --comment "DROP-ALL" -j MARK --set-xmark 0x800/0x800
-A AZURE-NPM-ACCEPT -m comment --comment "CLEAR-AZURE-NPM-MARKS" -j MARK --set-xmark 0x0/0xffffffff
-A AZURE-NPM-ACCEPT -j ACCEPT
COMMIT
"""


def veth(pod: str) -> str:
    """The host's end of a pod's veth."""
    return f"azv{digest_of(pod)}"


@pytest.fixture(scope="module")
def node() -> Iterator[Lab]:
    """A node with four pods, and what is outside."""
    with lab("azure") as made:
        made.add("host-azure", *PODS, "outside")
        made.connect(("host-azure", "eth0"), ("outside", "eth0"))
        made["host-azure"].ip(f"addr add {NODE}/16 dev eth0", f"route add default via {NETWORK}")
        made["outside"].ip(
            f"addr add {NETWORK}/16 dev eth0",
            *(f"route add {each}/32 via {NODE}" for each in PODS.values()),
            *(f"addr add {each}/32 dev lo" for each in (OUTSIDE, EXCEPTED)),
        )
        for pod, address in PODS.items():
            join(made, "host-azure", pod, veth(pod), address)
            speak_for_others(made, "host-azure", veth(pod))
        made["host-azure"].sysctls({"net/ipv4/ip_forward": 1})
        for name in ("web", "stranger", "outside"):
            made.serve(name, "tcp:80", "tcp:81")
        load_sets(made, "host-azure", SETS)
        made.load("host-azure", "iptables-legacy-restore", RULES)
        yield made


def test_a_policy_lets_the_client_in(node: Lab) -> None:
    """A named port, a label and a namespace's label: three sets, and the mark 0x200 that is cleared in the end."""
    said = assert_agrees(node, "client", PODS["web"], 80)

    assert said.result == ("reached", "web", PODS["client"])
    assert said.places()[:2] == [f"host-azure/{veth('client')}", "web/eth0"]
    assert any("INGRESS-POLICY-default/web" in text for text in said.rules().values())
    assert any("CLEAR-AZURE-NPM-MARKS" in text for text in said.rules().values())


@pytest.mark.parametrize(("client", "port"), [("stranger", 80), ("client", 81)])
def test_a_policy_keeps_others_out(node: Lab, client: str, port: int) -> None:
    """A client of another namespace, and a port that is not named, fall to the mark 0x400."""
    said = assert_agrees(node, client, PODS["web"], port)

    assert said.asked.ending.verdict is Verdict.DROPPED
    (last,) = said.asked.hops[-1].steps[-1].because
    assert "--mark 0x400/0x400" in last.text


@pytest.mark.parametrize("target", ["stranger", "web", "outside"])
def test_a_pod_that_may_ask_nobody(node: Lab, target: str) -> None:
    """The mark 0x800, whether the receiver has a policy or none."""
    said = assert_agrees(node, "locked", PODS.get(target, OUTSIDE), 80)

    assert said.asked.ending.verdict is Verdict.DROPPED


def test_a_range_with_an_exception(node: Lab) -> None:
    """From a range that is let in but for a part of it: both pass the gateway, one the policy."""
    node["outside"].ip(f"route replace {PODS['web']}/32 via {NODE} src {OUTSIDE}")
    inside = assert_agrees(node, "outside", PODS["web"], 80)
    node["outside"].ip(f"route replace {PODS['web']}/32 via {NODE} src {EXCEPTED}")
    excepted = assert_agrees(node, "outside", PODS["web"], 80)

    assert inside.result == ("reached", "web", OUTSIDE)
    assert excepted.asked.ending.verdict is Verdict.DROPPED


def test_the_node_answers_for_the_gateway(node: Lab) -> None:
    """Without the static neighbour proxy ARP does, and without both nobody does."""
    node["client"].ip("neigh del 169.254.1.1 dev eth0")
    with_proxy = assert_agrees(node, "client", PODS["stranger"], 80)
    node["client"].ip("neigh flush dev eth0")
    node["host-azure"].sysctls({f"net/ipv4/conf/{veth('client')}/proxy_arp": 0})
    without = fails(node, "client", PODS["stranger"], 80)
    node["client"].ip("neigh flush dev eth0")
    node["host-azure"].sysctls({f"net/ipv4/conf/{veth('client')}/proxy_arp": 1})

    assert with_proxy.result == ("reached", "stranger", PODS["client"])
    assert without.asked.ending.verdict is Verdict.NO_NEIGHBOUR
