"""A pod's own file beside what the API promises, and who answers."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import client_pod, cluster, service

from kubectl_packetpath.cluster.model import Cluster, DnsConfig, Pod
from kubectl_packetpath.cluster.naming.resolver import Files, Resolver, resolver_of
from kubectl_packetpath.snapshot.absent import Absent, Why

DNS = service(namespace="kube-system", name="kube-dns", cluster_ips=(ip_address("10.96.0.10"),))
FILE = """\
search default.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5
"""


def found(
    text: str = FILE, pod: Pod | None = None, world: Cluster | None = None, **files: object
) -> Resolver:
    """The resolver of a pod in `default` that has this file."""
    given = Files(own=text, **files)  # type: ignore[arg-type] # whichever of its fields a test is about
    resolver = resolver_of(pod or client_pod(1), world or cluster(service(), DNS), given)
    assert resolver is not None
    return resolver


def texts(resolver: Resolver) -> list[str]:
    """What differs."""
    return [each.text for each in resolver.differences]


def test_a_kubelets_file_is_as_promised() -> None:
    """Nothing is found, and the cluster's DNS is asked."""
    resolver = found()

    assert (resolver.from_file, resolver.differences) == (True, ())
    assert (resolver.dns, resolver.foreign, resolver.cache) == (DNS, "", "")
    assert resolver.title == (
        "/etc/resolv.conf of pod default/client-1, read on node1: nameserver 10.96.0.10; search "
        "default.svc.cluster.local svc.cluster.local cluster.local; options ndots:5"
    )


@pytest.mark.parametrize(
    ("old", "new", "text", "certain"),
    [
        ("ndots:5", "ndots:2", "ndots is 2, and should be 5", True),
        ("options ndots:5\n", "", "ndots is 1, and should be 5", True),
        ("10.96.0.10", "192.0.2.53", "nameserver 192.0.2.53, and should be 10.96.0.10", False),
        (" svc.cluster.local ", " ", "search domains svc.cluster.local are missing", False),
        (
            "default.svc.cluster.local svc.cluster.local",
            "svc.cluster.local default.svc.cluster.local",
            "search domains in another order: svc.cluster.local default.svc.cluster.local cluster.local",
            True,
        ),
        ("ndots:5", "ndots:5 rotate", "options rotate are neither the pod's nor Kubernetes'", False),
        ("ndots:5", "ndots:5 timeout:1", "timeout is 1, and should be 5", True),
    ],
)
def test_what_is_not_as_promised_is_told(old: str, new: str, text: str, certain: bool) -> None:
    """Certain is what no flag of a kubelet asks for."""
    resolver = found(FILE.replace(old, new))

    assert [(each.text, each.certain) for each in resolver.differences] == [(text, certain)]


def test_the_nodes_search_domains_follow_the_clusters() -> None:
    """A kubelet takes them from its node's file: only others are nobody's."""
    text = FILE.replace(" cluster.local\n", " cluster.local example.com\n")

    assert texts(found(text)) == []
    assert texts(found(text, of_node="search example.com\n")) == []
    assert texts(found(text, of_node="search example.org\n")) == [
        "search domains example.com are neither the pod's nor in its node's /etc/resolv.conf"
    ]


def test_what_the_pod_asks_for_itself_has_to_be_there() -> None:
    """Its dnsConfig comes on top."""
    own = DnsConfig(
        servers=("192.0.2.1",), searches=("example.com",), options=(("ndots", "2"), ("edns0", ""))
    )
    pod = replace(client_pod(1), dns_config=own)

    assert texts(found(pod=pod)) == [
        "nameserver 192.0.2.1 of the pod's dnsConfig is missing",
        "search domains example.com are missing",
        "ndots is 5, and should be 2",
        "options edns0 are missing",
    ]


def test_one_of_two_addresses_of_the_dns_is_enough() -> None:
    """A kubelet is told which of them pods shall ask."""
    both = replace(DNS, cluster_ips=(*DNS.cluster_ips, ip_address("fd00::a")))

    assert texts(found(world=cluster(service(), both))) == []


def test_the_clusters_domain_stands_in_the_file() -> None:
    """Behind the pod's namespace; it is no difference, and the names are known by it."""
    resolver = found(FILE.replace("cluster.local", "example.net"))

    assert (resolver.zone, texts(resolver)) == ("example.net", [])


def test_the_cache_of_a_node_is_known_by_its_device() -> None:
    """At an address of its own, or at that of the cluster's DNS."""
    own = found(FILE.replace("10.96.0.10", "169.254.20.10"), cached=("169.254.20.10", "10.96.0.10"))
    shared = found(cached=("169.254.20.10", "10.96.0.10"))
    without = found(cached=())

    assert (own.cache, own.foreign, texts(own)) == (
        "169.254.20.10 is on the device nodelocaldns of node1",
        "",
        [],
    )
    assert shared.cache == "10.96.0.10 is on the device nodelocaldns of node1"
    assert without.cache == ""


def test_another_server_may_not_know_the_cluster() -> None:
    """Nor may another Service; an endpoint of the cluster's DNS does."""
    other = service(name="other", cluster_ips=(ip_address("10.96.0.99"),))
    world = cluster(service(), DNS, other)

    assert found(FILE.replace("10.96.0.10", "192.0.2.53")).foreign.startswith("192.0.2.53 is not the address")
    assert found(FILE.replace("10.96.0.10", "10.96.0.99"), world=world).foreign.endswith(
        "Service default/other"
    )


def test_without_sight_of_the_dns_service_its_word_is_taken() -> None:
    """Whoever may not read kube-system still has the kernel's word for the way there."""
    assert found(world=cluster(service())).foreign == ""


def test_the_promise_stands_in_where_no_file_was_read() -> None:
    """And it is said why."""
    unread = Absent(why=Why.UNREADABLE, detail="its file was not read: no agent runs there")

    resolver = resolver_of(client_pod(1), cluster(service(), DNS), Files(own=unread))

    assert resolver is not None
    assert (resolver.from_file, resolver.unread) == (False, unread.detail)
    assert resolver.title.startswith(
        "as the API promises (its file was not read: no agent runs there): nameserver"
    )


def test_the_nodes_own_policy_promises_nothing() -> None:
    """With dnsPolicy Default only the file itself tells."""
    pod = replace(client_pod(1), dns_policy="Default")

    assert resolver_of(pod, cluster(service(), DNS)) is None
    assert found("nameserver 192.0.2.53\n", pod=pod).differences == ()


@pytest.mark.parametrize(
    "text",
    [
        "\x00" * 65536,
        "nameserver " * 6000,
        "search " + " ".join(f"d{n}.example" for n in range(5000)),
        "options " + " ".join(f"ndots:{n}" for n in range(5000)),
        "options " + "ndots:" + "9" * 60000,
        "\\xff\x1b[31m" * 1000 + "\u2028nameserver 10.96.0.10\x0bsearch x",
        "search " + "a" * 60000,
    ],
)
def test_a_hostile_file_costs_nothing(text: str) -> None:
    """It is read as the libraries would, and what is told of it stays short."""
    resolver = found(text)

    assert len(resolver.conf.search) <= 64
    assert all(len(each) < 1000 for each in texts(resolver))
