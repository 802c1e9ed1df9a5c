"""Faults of a real kernel: connections really fail, the check for the fault finds it, and its first remedy mends it."""

import shlex
from collections.abc import Iterator

import pytest
from kernel.findings.diagnosis import diagnosed
from kernel.lab import Lab, happened, lab

from kubectl_packetpath.findings import Finding
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

PODS = {"client": "10.0.0.2", "server": "10.0.1.2"}
BRIDGED = {"one": "10.1.0.2", "two": "10.1.0.3"}
SERVICE = "10.96.0.1"
DNAT = """*nat
-A PREROUTING -d 10.96.0.1 -p tcp --dport 80 -j DNAT --to-destination {address}:8080
-A POSTROUTING -s {address} -d {address} -j MASQUERADE
COMMIT
"""
DOCKER = """*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
"""
STRANGER = "*filter\n-A FORWARD -p tcp --dport 8080 -j DROP\nCOMMIT\n"
FIREWALLD = """table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority 10; policy accept;
    reject with icmpx admin-prohibited
  }
}
"""
BACK_ENDS = ("iptables-legacy", "iptables-nft")


@pytest.fixture
def routed() -> Iterator[Lab]:
    """Client - node - server."""
    with lab("found") as made:
        made.add("node", "client", "server")
        for number, name in enumerate(("client", "server")):
            made.connect(("node", name), (name, "eth0"))
            made["node"].ip(f"addr add 10.0.{number}.1/24 dev {name}")
            made[name].ip(f"addr add 10.0.{number}.2/24 dev eth0", f"route add default via 10.0.{number}.1")
        made["node"].sysctls({"net/ipv4/ip_forward": 1})
        made.serve("server", "tcp:8080", "tcp:127.0.0.1@8090")
        yield made


@pytest.fixture
def bridged() -> Iterator[Lab]:
    """Two pods on a bridge of the node, with a Service in front of one of them."""
    with lab("foundb") as made:
        made.add("node", "one", "two")
        made["node"].ip("link add br0 type bridge", "addr add 10.1.0.1/24 dev br0", "link set br0 up")
        for number, name in enumerate(("one", "two"), start=2):
            made.connect(("node", f"veth{name}"), (name, "eth0"))
            made["node"].ip(f"link set veth{name} master br0")
            made[name].ip(f"addr add 10.1.0.{number}/24 dev eth0", "route add default via 10.1.0.1")
            made.serve(name, "tcp:8080")
        made["node"].sysctls({"net/ipv4/ip_forward": 1, "net/bridge/bridge-nf-call-iptables": 1})
        yield made


def found(made: Lab, port: int = 8080, target: str = "10.0.1.2") -> Finding:
    """The one thing that is found; the connection really fails."""
    assert happened(made, "client", target, port)[0] != "reached"
    (each,) = diagnosed(made, PODS, "client", target, port)
    return each


def mended(made: Lab, command: str) -> bool:
    """Whether a connection gets through once this was run on the node."""
    succeed([*made["node"].enter, *shlex.split(command)])
    return happened(made, "client", "10.0.1.2", 8080)[0] == "reached"


def test_nothing_is_found_where_connections_get_through(routed: Lab) -> None:
    """The healthy twin of all that follows."""
    assert happened(routed, "client", "10.0.1.2", 8080)[0] == "reached"
    assert diagnosed(routed, PODS, "client", "10.0.1.2", 8080) == ()


def test_forwarding_that_is_off(routed: Lab) -> None:
    """The node's own switch."""
    routed["node"].sysctls({"net/ipv4/ip_forward": 0})

    each = found(routed)

    assert each.id == "forwarding-is-off"
    assert mended(routed, each.remedy[0])


@pytest.mark.parametrize("tool", BACK_ENDS)
def test_dockers_policy_of_forward(routed: Lab, tool: str) -> None:
    """The chains that the packet went through tell who sets it."""
    routed.load("node", f"{tool}-restore", DOCKER)

    each = found(routed)

    assert (each.id, each.subject) == ("foreign-rule-stops", "Docker")
    assert each.remedy[0] == "iptables -I DOCKER-USER -s 10.0.0.2 -j ACCEPT"
    assert mended(routed, f"{tool} -I DOCKER-USER -j ACCEPT")


@pytest.mark.parametrize("tool", BACK_ENDS)
def test_a_rule_that_nobody_is_known_for(routed: Lab, tool: str) -> None:
    """It is deleted by its own words, in its own back end."""
    routed.load("node", f"{tool}-restore", STRANGER)

    each = found(routed)

    assert (each.id, each.subject) == ("foreign-rule-stops", "filter/FORWARD")
    assert mended(routed, each.remedy[0])


def test_firewalld(routed: Lab) -> None:
    """By its table."""
    routed.load("node", "nft -f -", FIREWALLD)

    each = found(routed)

    assert (each.id, each.subject) == ("foreign-rule-stops", "firewalld")


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_a_route_that_discards(routed: Lab, kind: str) -> None:
    """A narrower one that leads nowhere."""
    routed["node"].ip(f"route add {kind} 10.0.1.0/25")

    each = found(routed)

    assert each.id == "route-discards"
    assert mended(routed, each.remedy[-1])


def test_a_route_that_is_missing(routed: Lab) -> None:
    """To an address that is a pod's."""
    routed["node"].ip("route del 10.0.1.0/24 dev server")

    assert found(routed).id == "route-is-missing"


def test_a_neighbour_that_is_silent(routed: Lab) -> None:
    """Nobody has the address."""
    assert found(routed, target="10.0.1.77").id == "neighbour-is-silent"


def test_the_reverse_path_filter(routed: Lab) -> None:
    """The way back to the client goes elsewhere."""
    routed["node"].ip("route add 10.0.0.2/32 via 10.0.1.2")
    routed["node"].sysctls({"net/ipv4/conf/all/rp_filter": 1})

    assert found(routed).id == "reverse-path-filter-drops"


@pytest.mark.parametrize(("port", "problem"), [(8081, "nothing-listens"), (8090, "listens-on-loopback")])
def test_a_port_on_which_nothing_listens(routed: Lab, port: int, problem: str) -> None:
    """And one on which the program listens for itself alone."""
    assert found(routed, port).id == problem


@pytest.mark.parametrize("tool", BACK_ENDS)
def test_hairpin_mode_that_is_off(bridged: Lab, tool: str) -> None:
    """A pod does not reach itself through its Service until the port sends frames back."""
    bridged.load("node", f"{tool}-restore", DNAT.format(address="10.1.0.2"))

    assert happened(bridged, "one", SERVICE, 80)[0] != "reached"
    (each,) = diagnosed(bridged, BRIDGED, "one", SERVICE, 80)
    assert each.id == "hairpin-is-off"

    succeed([*bridged["node"].enter, *shlex.split(each.remedy[0])])
    assert happened(bridged, "one", SERVICE, 80)[0] == "reached"


@pytest.mark.parametrize("tool", BACK_ENDS)
def test_a_bridge_that_does_not_show_answers_to_the_rules(bridged: Lab, tool: str) -> None:
    """The client resets what comes from the endpoint's own address."""
    bridged.load("node", f"{tool}-restore", DNAT.format(address="10.1.0.3"))
    bridged["node"].sysctls({"net/bridge/bridge-nf-call-iptables": 0})

    assert happened(bridged, "one", SERVICE, 80)[0] != "reached"
    (each,) = diagnosed(bridged, BRIDGED, "one", SERVICE, 80)
    assert each.id == "bridged-answer-is-not-translated"

    succeed([*bridged["node"].enter, *shlex.split(each.remedy[0])])
    assert happened(bridged, "one", SERVICE, 80)[0] == "reached"
