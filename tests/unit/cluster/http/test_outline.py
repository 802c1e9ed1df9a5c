"""Requests for names of the cluster, which no proxy decides on."""

from dataclasses import replace
from ipaddress import ip_address

from builders import client_pod, cluster, service

from kubectl_packetpath.cluster.ask import parse_start
from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.outline import Outline, outlines
from kubectl_packetpath.cluster.model import Cluster, DnsConfig, ServicePort

DNS = service(
    namespace="kube-system",
    name="kube-dns",
    cluster_ips=(ip_address("10.96.0.10"),),
    ports=(ServicePort(name="dns", port=53, protocol="UDP"),),
)
START = parse_start("pod/client-1", "default")


def world(ndots: str = "") -> Cluster:
    """With the cluster's DNS, and a client with this option."""
    found = cluster(service(), DNS)
    own = replace(client_pod(1), dns_config=DnsConfig(options=(("ndots", ndots),)) if ndots else None)
    return replace(found, pods=tuple(own if each.name == own.name else each for each in found.pods))


def asked(url: str, ndots: str = "", *, start: bool = True) -> Outline:
    """By the client."""
    wish = HttpWish(url=url, namespace="default", start=START if start else None)
    (found,) = outlines(wish, world(ndots))
    return found


def test_a_name_leads_to_its_service() -> None:
    """From the pod to the ClusterIP, at the URL's port."""
    found = asked("http://web.default/")

    assert [each.title for each in found.connections] == ["to the cluster's DNS", "to Service default/web"]
    (question,) = found.connections[-1].expansion.questions
    assert (str(question.destination), question.port, found.plan) == ("10.96.0.9", 80, None)


def test_without_a_start_all_nodes_ask() -> None:
    """And it is said whose search list was used."""
    found = asked("http://web.default/", start=False)

    assert len(found.connections[0].expansion.questions) == 3
    assert "no --from was given" in found.notes[0]


def test_musl_is_told_where_it_gets_another_answer() -> None:
    """It tries no search domain for a name with enough dots, which glibc does."""
    assert asked("http://web.default/").notes == ()
    assert "a program with musl (Alpine) stops at web.default" in asked("http://web.default/", "1").notes[0]
