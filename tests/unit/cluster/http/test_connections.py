"""Both connections of a request, as questions."""

from dataclasses import replace
from typing import Any

import pytest
from builders import client_pod, cluster, service

from kubectl_packetpath.cluster.ask import TargetKind
from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.connections import onward, way_in
from kubectl_packetpath.cluster.http.plan import Plan, plans
from kubectl_packetpath.cluster.http.web import Web
from kubectl_packetpath.cluster.http.web_objects import web_of
from kubectl_packetpath.cluster.model import Cluster, ContainerPort, Pod, Service, ServicePort

NGINX = "nginx.ingress.kubernetes.io"
CONTROLLERS = {
    "nginx": "k8s.io/ingress-nginx",
    "alb": "ingress.k8s.aws/alb",
    "own": "example.com/own",
}


def web(kind: str, target: str = "web", address: str = "", **annotations: str) -> Web:
    """One Ingress of a class."""
    backend = {"service": {"name": target, "port": {"number": 80}}}
    rule = {"host": "x.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    given = {"metadata": {"namespace": "default", "name": "i", "annotations": annotations}}
    listed = {"loadBalancer": {"ingress": [{"ip": address}] if address else []}}
    return web_of(
        {
            "ingresses": [given | {"spec": {"ingressClassName": kind, "rules": [rule]}, "status": listed}],
            "ingressclasses": [
                {"metadata": {"name": name}, "spec": {"controller": controller}}
                for name, controller in CONTROLLERS.items()
            ],
        }
    )


def proxy(**changes: Any) -> Pod:
    """A pod of ingress-nginx on the first node."""
    labels = (("app.kubernetes.io/name", "ingress-nginx"),)
    return replace(client_pod(1, "edge"), name="nginx", labels=labels, **changes)


def planned(world: Cluster, found: Web, *more: Pod) -> tuple[Plan, Cluster]:
    """The plan of a request for x.test."""
    world = replace(world, web=found, pods=(*world.pods, *more))
    (plan,) = plans(HttpWish(url="http://x.test/"), world)
    return plan, world


def test_a_proxy_sends_straight_to_each_endpoint() -> None:
    """Past the ClusterIP: no address of the Service is asked for."""
    plan, world = planned(cluster(), web("nginx"), proxy())

    found = onward(plan, world).expansion.questions

    assert [str(q.destination) for q in found] == ["10.244.1.3", "10.244.2.3", "10.244.3.3"]
    assert {(q.way, q.port) for q in found} == {("Backend", 8080)}
    assert {q.start.pod.name for q in found if q.start.pod} == {"nginx"}


def test_a_proxy_may_be_told_to_use_the_cluster_ip() -> None:
    """Then kube-proxy chooses the endpoint."""
    found = web("nginx", **{f"{NGINX}/service-upstream": "true"})
    plan, world = planned(cluster(), found, proxy())

    (question,) = onward(plan, world).expansion.questions

    assert (question.way, str(question.destination), len(question.expected)) == ("ClusterIP", "10.96.0.9", 3)


def test_a_proxy_in_the_nodes_network_starts_there() -> None:
    """And clients come in by the node's own address."""
    own = proxy(host_network=True, ports=(ContainerPort(port=80),))
    plan, world = planned(cluster(), web("nginx"), own)

    into = way_in(plan, world, None, ()).expansion.questions

    assert {q.start.kind for q in onward(plan, world).expansion.questions} == {TargetKind.NODE}
    assert {(q.way, str(q.destination), q.port) for q in into} == {("Node", "172.30.1.11", 80)}


def test_a_balancer_outside_sends_to_node_ports() -> None:
    """To each node by itself."""
    port = ServicePort(name="http", port=80, node_port=30080, target_port="http")
    plan, world = planned(cluster(service(type="NodePort", ports=(port,))), web("alb"))

    found = onward(plan, world).expansion.questions

    assert {(q.way, q.port, q.start.kind) for q in found} == {("NodePort", 30080, TargetKind.OUTSIDE)}
    assert [q.start.node for q in found] == ["node1", "node2", "node3"]


def test_a_balancer_outside_may_send_to_pods() -> None:
    """Each by way of the pod's node."""
    found = web("alb", **{"alb.ingress.kubernetes.io/target-type": "ip"})
    plan, world = planned(cluster(), found)

    asked = onward(plan, world).expansion.questions

    assert [(str(q.destination), q.start.node) for q in asked] == [
        ("10.244.1.3", "node1"),
        ("10.244.2.3", "node2"),
        ("10.244.3.3", "node3"),
    ]


def test_how_an_unknown_controller_sends_is_an_assumption() -> None:
    """And is said to be one."""
    front = service(namespace="edge", name="own", selector=(("app", "own"),), cluster_ips=())
    pod = replace(client_pod(1, "edge"), labels=(("app", "own"),))
    world = cluster(service(), replace(front, external_ips=service().cluster_ips))
    plan, world = planned(replace(world, services=world.services[::-1]), web("own", address="10.96.0.9"), pod)

    found = onward(plan, world).expansion

    assert "not known here" in plan.decision.doubts[0]
    assert found.questions


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (service(type="ExternalName", external_name="db.example.com", cluster_ips=()), "db.example.com"),
        (None, ""),
    ],
)
def test_what_is_no_packet_of_the_cluster_is_told(target: Service | None, said: str) -> None:
    """An ExternalName, or nothing at all."""
    world = cluster(*([target] if target else [service(name="other")]))
    plan, world = planned(world, web("nginx"), proxy())

    found = onward(plan, world).expansion

    assert found.questions == ()
    assert said in " ".join(found.notes)
