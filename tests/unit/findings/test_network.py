"""PP3xx and PP4xx: what the nodes' kernels do to packets on their way."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address, ip_network

import pytest
from builders import answered, cluster, delivered, step
from unit.findings.losing import (
    fact,
    first,
    found,
    found_in,
    lost,
    lost_on_the_way_to,
    one,
    recorded,
    with_lost_reply,
)

from kubectl_packetpath.cluster.flows import Existing, Standing
from kubectl_packetpath.findings import Severity
from kubectl_packetpath.packet import UDP
from kubectl_packetpath.snapshot.conntrack import Conntrack
from kubectl_packetpath.snapshot.routing import Route
from kubectl_packetpath.snapshot.sysctls import Sysctl
from kubectl_packetpath.trace import Fact, FactSection, StepKind, Verdict


def test_forwarding_that_is_off() -> None:
    """The setting is named, and how to turn it on."""
    off = fact("sysctl", "node1 net/ipv4/ip_forward", "net.ipv4.ip_forward = 0")
    path = lost_on_the_way_to(first(), 3, Verdict.DROPPED, "packets from eth0 are not forwarded", off)

    each = one(found("PP301", first(), path))

    assert each.message == "net.ipv4.ip_forward is 0 on node1: it passes on no IPv4 packets"
    assert each.remedy[0] == "sysctl -w net.ipv4.ip_forward=1"


@pytest.mark.parametrize(
    ("section", "key", "text", "owner", "remedy"),
    [
        (
            "iptables-nft",
            "node1 filter/DOCKER-ISOLATION-STAGE-2/1",
            "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP",
            "Docker",
            "iptables -I DOCKER-USER -s 10.244.1.2 -j ACCEPT",
        ),
        (
            "iptables-legacy",
            "node1 filter/ufw-reject-forward/1",
            "-A ufw-reject-forward -j REJECT --reject-with icmp-port-unreachable",
            "ufw",
            "ufw route allow from 10.244.1.2",
        ),
        (
            "nftables",
            "node1 firewalld/filter_FORWARD/7",
            "reject with icmpx admin-prohibited",
            "firewalld",
            "firewall-cmd --permanent --zone=trusted --add-source=10.244.1.2 && firewall-cmd --reload",
        ),
        (
            "iptables-legacy",
            "node1 filter/FORWARD/3",
            "-A FORWARD -p tcp --dport 8080 -j DROP",
            "filter/FORWARD",
            "iptables-legacy -t filter -D FORWARD -p tcp --dport 8080 -j DROP",
        ),
    ],
)
def test_a_foreign_rule_and_its_owner(
    section: FactSection, key: str, text: str, owner: str, remedy: str
) -> None:
    """By the names of the chains; what nobody is known for is deleted as it stands."""
    path = lost_on_the_way_to(first(), 3, Verdict.DROPPED, "dropped by a rule", fact(section, key, text))

    each = one(found("PP302", first(), path))

    assert (each.subject, each.remedy[0]) == (owner, remedy)


def test_the_policy_of_forward_and_who_sets_it() -> None:
    """Docker's chains before it give it away."""
    policy = fact("iptables-nft", "node1 filter/FORWARD/policy", ":FORWARD DROP")
    jump = fact("iptables-nft", "node1 filter/FORWARD/1", "-A FORWARD -j DOCKER-USER")
    path = lost_on_the_way_to(first(), 3, Verdict.DROPPED, "dropped by the policy", jump, policy)

    each = one(found("PP302", first(), path))

    assert each.message == (
        "the policy of filter/FORWARD on node1 drops what no rule accepts; Docker sets it"
    )
    assert "iptables-nft -t filter -P FORWARD ACCEPT" in each.remedy


@pytest.mark.parametrize("chain", ["KUBE-FORWARD", "cali-FORWARD"])
def test_a_proxys_rule_and_an_enforcers_are_not_foreign(chain: str) -> None:
    """Those have findings of their own."""
    own = fact("iptables-nft", f"node1 filter/{chain}/1", f"-A {chain} -j DROP")
    path = lost_on_the_way_to(first(), 3, Verdict.DROPPED, "dropped by a rule", own)

    assert found("PP302", first(), path) == ()


@pytest.mark.parametrize("verdict", [Verdict.NO_ROUTE, Verdict.LEFT_CLUSTER])
def test_a_route_to_another_nodes_pods_that_is_missing(verdict: Verdict) -> None:
    """Whether a default route takes the packet away or there is none."""
    given = cluster()
    nodes = tuple(replace(n, pod_networks=(ip_network(f"10.244.{n.name[-1]}.0/24"),)) for n in given.nodes)
    path = lost_on_the_way_to(first(), 3, verdict, "by the default route")

    each = one(found("PP303", first(), path, world=replace(given, nodes=nodes)))

    assert each.message == "node1 has no route to 10.244.3.0/24, the pods of node3"
    assert each.remedy[2] == "ip route replace 10.244.3.0/24 via 172.30.1.13"


@pytest.mark.parametrize(("to_node2", "count"), [(True, 1), (False, 0)])
def test_a_default_route_to_pods_is_suspicious_where_others_have_their_own(
    to_node2: bool, count: int
) -> None:
    """A router may know the way; but then this node would not need routes to others."""
    given = cluster()
    networks = {n.name: (f"10.244.{n.name[-1]}.0/24", f"fd00:{n.name[-1]}::/64") for n in given.nodes}
    nodes = tuple(replace(n, pod_networks=tuple(map(ip_network, networks[n.name]))) for n in given.nodes)
    wanted = ("10.244.2.0/24", "fd00:3::/64") if to_node2 else ()
    routes = tuple(Route(destination=ip_network(each)) for each in wanted)
    path = delivered(first(), 3, None)
    default = step(
        StepKind.ROUTED,
        "onward by eth0 via 172.30.1.1",
        fact("route", "node1 table main", "default via 172.30.1.1 dev eth0"),
    )
    doubt = step(StepKind.ASSUMED, "the network behind 172.30.1.1 is not seen")
    hops = (path.hops[0], replace(path.hops[1], steps=(default, doubt)), *path.hops[2:])

    told = found(
        "PP303",
        first(),
        replace(path, hops=hops),
        world=replace(given, nodes=nodes),
        node1=recorded("node1", routes=routes),
    )

    assert [each.severity for each in told] == [Severity.SUSPICION] * count


def test_a_route_that_discards() -> None:
    """It is there, and it is not the same as none."""
    route = fact("route", "node1 table main", "blackhole 10.244.3.0/26 proto 80")
    path = lost_on_the_way_to(
        first(), 3, Verdict.NO_ROUTE, "the route to 10.244.3.3 is of type blackhole", route
    )

    each = one(found("PP304", first(), path))

    assert each.message.startswith("node1 discards what goes to 10.244.3.3, where default/web-3 is on node3")
    assert each.remedy[-1] == "ip route del blackhole 10.244.3.0/26"
    assert found("PP303", first(), path) == ()


def test_a_neighbour_that_is_silent() -> None:
    """It is said who has the address."""
    entry = fact("neighbour", "node1 neigh 172.30.1.13 dev eth0", "172.30.1.13 dev eth0 FAILED")
    path = lost_on_the_way_to(first(), 3, Verdict.NO_NEIGHBOUR, "nobody answers", entry)

    each = one(found("PP305", first(), path))

    assert each.message == "172.30.1.13 is node3, which is ready; the kernel has asked and given up"


def test_hairpin_mode_that_is_off() -> None:
    """By the port of the bridge."""
    port = fact("link", "node1 bridge link veth1", "veth1 master cni0 hairpin off")
    path = lost_on_the_way_to(first(), 1, Verdict.DROPPED, "the frame would go back out", port)

    each = one(found("PP306", first(), path))

    assert each.remedy[0] == "bridge link set dev veth1 hairpin on"


@pytest.mark.parametrize(("value", "count"), [("0", 1), (None, 1), ("1", 0)])
def test_a_bridged_answer_that_is_not_translated(value: str | None, count: int) -> None:
    """The bridge does not call iptables, or br_netfilter is not there at all."""
    key = "net/bridge/bridge-nf-call-iptables"
    rows = (Sysctl(key=key, value=value),) if value is not None else ()
    path = with_lost_reply(delivered(first(), 1), "it was not translated back")

    told = found("PP307", first(), path, node1=recorded("node1", sysctls=rows))

    assert len(told) == count
    assert all(("modprobe" in each.remedy[0]) == (value is None) for each in told)


def test_a_bridge_whose_settings_were_not_read_proves_nothing() -> None:
    """Nor does a node that nobody looked at."""
    path = with_lost_reply(delivered(first(), 1), "it was not translated back")

    assert found("PP307", first(), path, node1=recorded("node1")) == ()
    assert found("PP307", first(), path) == ()


def test_the_reverse_path_filter() -> None:
    """The way that the kernel would take back is told."""
    facts = (
        fact("sysctl", "node1 net/ipv4/conf/eth1/rp_filter", "net.ipv4.conf.eth1.rp_filter = 1"),
        fact("route", "node1 table main", "default via 172.30.1.1 dev eth0"),
    )
    path = lost(first(), Verdict.DROPPED, "the way back does not go by eth1 (reverse path filter)", *facts)

    each = one(found("PP308", first(), path))

    assert each.message == "the way back to 10.244.1.2 is: default via 172.30.1.1 dev eth0"


@pytest.mark.parametrize(
    ("count", "severity"), [(1000, Severity.PROBLEM), (950, Severity.SUSPICION), (500, None)]
)
def test_a_connection_table_that_is_full(count: int, severity: Severity | None) -> None:
    """By its own count and limit."""
    node = recorded("node1", conntrack=Conntrack(count=count, maximum=1000))

    told = found("PP401", first(), delivered(first(), 1), node1=node)

    assert [each.severity for each in told] == ([severity] if severity else [])


def flows(standing: Standing, protocol: int = UDP) -> Existing:
    """Three existing connections to an address that once was an endpoint."""
    return Existing(
        node="node1",
        destination=ip_address("10.96.0.9"),
        port=80,
        protocol=protocol,
        taker=ip_address("10.244.1.9"),
        taker_port=8080,
        standing=standing,
        count=3,
        samples=("src=10.244.1.2 dst=10.96.0.9",),
    )


def test_flows_that_are_pinned_to_a_dead_endpoint() -> None:
    """With the command that clears them; new connections are well."""
    way = replace(answered(first(), delivered(first(), 1, Fraction(1))), flows=(flows(Standing.GONE),))

    each = one(found_in("PP402", way))

    assert each.message == (
        "existing flows to 10.96.0.9:80/udp: 3 entries on node1 still go to 10.244.1.9:8080 (no endpoint any more)"
    )
    assert each.remedy == (
        "conntrack -D -p udp --orig-dst 10.96.0.9 --orig-port-dst 80 --reply-src 10.244.1.9",
    )
    assert each.evidence == (Fact(section="conntrack", key="node1 1", text="src=10.244.1.2 dst=10.96.0.9"),)
    assert way.family == "arrived"


@pytest.mark.parametrize(
    ("given", "pinned"),
    [
        (flows(Standing.CURRENT), False),
        (flows(Standing.TERMINATING), False),
        (flows(Standing.UNTRANSLATED), True),
        (flows(Standing.NOT_READY), True),
        (flows(Standing.NOT_READY, 6), False),
    ],
)
def test_which_flows_are_pinned(given: Existing, pinned: bool) -> None:
    """TCP stays with an endpoint that is not ready, as it should."""
    way = replace(answered(first(), delivered(first(), 1, Fraction(1))), flows=(given,))

    assert bool(found_in("PP402", way)) == pinned
