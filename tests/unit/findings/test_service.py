"""PP1xx: what the API and the pods say of a Service that cannot be reached."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from builders import cluster, service, slices
from unit.findings.losing import (
    first,
    found,
    lost,
    lost_on_the_way_to,
    one,
    recorded_pod,
    refused_by_pod,
)

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.model import BalancerAddress, Cluster, ServicePort
from kubectl_packetpath.findings import findings_at_all
from kubectl_packetpath.packet import TCP
from kubectl_packetpath.snapshot.sockets import TCP_LISTEN, Socket
from kubectl_packetpath.trace import Verdict

NO_BACKEND = Verdict.NO_BACKEND
EMPTY = (slices((False, False, False)),)
CODES = ("PP101", "PP102", "PP103", "PP104")


def world(own: tuple[tuple[str, str], ...], *, ready: bool = True, **changes: object) -> Cluster:
    """A Service that selects `app=web`, pods with these labels, and no endpoint."""
    made = cluster(service(selector=(("app", "web"),), **changes))
    pods = tuple(
        replace(pod, labels=own, ready=ready) if pod.name.startswith("web") else pod for pod in made.pods
    )
    return replace(made, pods=pods, slices=())


def reasons(given: Cluster) -> list[str]:
    """The codes of what is found where the proxy refuses for want of endpoints."""
    question = first(given)
    path = lost(question, NO_BACKEND, "kube-proxy rejects it")
    return [code for code in CODES if found(code, question, path, world=given)]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (world((("app", "webb"),)), "PP101"),
        (world((("app", "web"),), ready=False), "PP102"),
        (
            world((("app", "web"),), ports=(ServicePort(name="http", port=80, target_port="metrics"),)),
            "PP103",
        ),
        (world((("app", "web"),)), "PP104"),
        (replace(world(()), services=(service(),)), "PP104"),
    ],
)
def test_why_nobody_is_there(given: Cluster, code: str) -> None:
    """The first thing that keeps pods from being endpoints, and nothing else."""
    assert reasons(given) == [code]


def test_the_pod_that_comes_closest_to_the_selector_is_named() -> None:
    """Most of these are slips of the pen."""
    given = world((("app", "webb"),))
    path = lost(first(given), NO_BACKEND, "kube-proxy rejects it")

    each = one(found("PP101", first(given), path, world=given))

    assert each.message == "no pod of default has app=web; nearest is web-1 with app=webb"


def test_a_pod_of_another_program_is_not_near() -> None:
    """Every pod has an `app`: that alone says nothing."""
    given = world((("app", "database"),))
    path = lost(first(given), NO_BACKEND, "kube-proxy rejects it")

    assert one(found("PP101", first(given), path, world=given)).message == "no pod of default has app=web"


def test_a_headless_service_without_endpoints_has_no_way_and_is_explained() -> None:
    """DNS answers with no address, so there is no packet to follow."""
    given = world((("app", "web"),), ready=False, headless=True, cluster_ips=())
    answer = Answer(target="svc/web", ways=(), cluster=given, service=given.services[0])

    assert [each.id for each in findings_at_all(answer)] == ["pods-are-not-ready"]


def test_nothing_is_said_of_endpoints_where_there_are_some() -> None:
    """The node is behind, then, and that is another problem."""
    assert reasons(cluster()) == []


def test_a_local_policy_without_a_local_endpoint() -> None:
    """Names the field and where the endpoints are."""
    given = cluster(service(internal_traffic_policy="Local"))
    made = replace(
        given,
        slices=(replace(given.slices[0], endpoints=given.slices[0].endpoints[1:]),),
    )
    path = lost(first(made), NO_BACKEND, "kube-proxy drops it")

    each = one(found("PP105", first(made), path, world=made))

    assert each.message == (
        "internalTrafficPolicy is Local, and its 2 ready endpoints are on node2, node3, none on node1"
    )
    assert '{"spec":{"internalTrafficPolicy":"Cluster"}}' in each.remedy[1]
    assert found("PP105", first(), path) == ()


def listener(port: int, address: str = "0.0.0.0") -> Socket:
    """A listening TCP socket."""
    return Socket(family=4, protocol=TCP, address=ip_address(address), port=port, state=TCP_LISTEN)


def test_nothing_listens_names_what_does() -> None:
    """And the command that sends the Service there."""
    given = cluster(service(ports=(ServicePort(name="http", port=80, target_port="8080"),)))
    question = first(given)
    node = recorded_pod("node2", "web-2", sockets=(listener(9090),))

    each = one(found("PP106", question, refused_by_pod(question, 2), world=given, node2=node))

    assert each.message == "default/web-2 listens on 9090/tcp, not on 8080/tcp"
    assert '"path":"/spec/ports/0/targetPort","value":9090' in each.remedy[0]
    assert found("PP107", question, refused_by_pod(question, 2), world=given, node2=node) == ()


def test_a_listener_on_loopback_only() -> None:
    """It is the port, and nobody but the pod reaches it."""
    question = first()
    node = recorded_pod("node2", "web-2", sockets=(listener(8080, "127.0.0.1"), listener(9090)))

    each = one(found("PP107", question, refused_by_pod(question, 2), node2=node))

    assert each.message.startswith("default/web-2 listens on 127.0.0.1:8080 only")
    assert found("PP106", question, refused_by_pod(question, 2), node2=node) == ()


def test_sockets_that_were_not_read_prove_nothing() -> None:
    """No finding rather than a guess."""
    question = first()

    assert found("PP106", question, refused_by_pod(question, 2)) == ()
    assert found("PP106", question, refused_by_pod(question, 2), node2=recorded_pod("node2", "web-2")) == ()


@pytest.mark.parametrize(
    ("balancer", "count"), [((), 1), ((BalancerAddress(address=ip_address("192.0.2.9")),), 0)]
)
def test_a_balancer_that_nobody_provides(balancer: tuple[BalancerAddress, ...], count: int) -> None:
    """Its status stays empty."""
    given = cluster(service(type="LoadBalancer", balancer=balancer))
    answer = Answer(target="svc/web", ways=(), cluster=given, service=given.services[0])

    assert [each.code for each in findings_at_all(answer)] == ["PP108"] * count


def test_an_ip_version_without_endpoints() -> None:
    """Half of a dual-stack Service is dead."""
    given = cluster(service(cluster_ips=(ip_address("fd00:96::9"),)))
    made = replace(
        given,
        pods=tuple(
            replace(p, addresses=(*p.addresses, ip_address(f"fd00::{n}")))
            if p.name.startswith("client")
            else p
            for n, p in enumerate(given.pods, 1)
        ),
    )
    question = next(each for each in (first(made),) if each.destination.version == 6)
    path = lost(question, NO_BACKEND, "kube-proxy rejects it")

    each = one(found("PP109", question, path, world=made))

    assert each.message == "its 3 ready endpoints have IPv4 addresses only, and this is IPv6"


def test_a_client_outside_of_the_source_ranges() -> None:
    """Dropped by the proxy's own rule."""
    given = cluster(service(source_ranges=(ip_network("192.0.2.0/24"),)))
    question = replace(first(given), way="LoadBalancer")
    path = lost(question, Verdict.DROPPED, "dropped by a rule")

    each = one(found("PP110", question, path, world=given))

    assert each.message == "the node sees 10.244.1.2, and only 192.0.2.0/24 may connect"
    allowed = cluster(service(source_ranges=(ip_network("10.0.0.0/8"),)))
    assert found("PP110", question, path, world=allowed) == ()


def test_a_node_port_at_a_loopback_address() -> None:
    """It is known whose port that is, and where to ask instead."""
    given = cluster(service(ports=(ServicePort(name="http", port=80, node_port=30080),)))
    question = replace(first(given), way="Address", destination=ip_address("127.0.0.1"), port=30080)

    each = one(found("PP111", question, lost(question, Verdict.REFUSED, "nothing listens"), world=given))

    assert each.remedy == ("curl http://172.30.1.11:30080",)


@pytest.mark.parametrize(("ready", "count"), [(False, 1), (True, 0)])
def test_an_endpoint_on_a_node_that_is_not_ready(ready: bool, count: int) -> None:
    """Its share of connections is lost until the pod is given up."""
    given = cluster()
    made = replace(
        given, nodes=tuple(replace(n, ready=ready) if n.name == "node2" else n for n in given.nodes)
    )
    path = lost_on_the_way_to(first(), 2, Verdict.NO_NEIGHBOUR, "nobody answers")

    assert len(found("PP112", first(), path, world=made)) == count
