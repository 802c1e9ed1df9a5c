"""Where requests for a controller come in."""

from dataclasses import replace
from ipaddress import ip_address

from builders import cluster, service, web_pod

from kubectl_packetpath.cluster.http.controllers import controller_named
from kubectl_packetpath.cluster.http.entrance import entrance
from kubectl_packetpath.cluster.http.gateway.model import Gateway
from kubectl_packetpath.cluster.model import BalancerAddress, Cluster, ContainerPort, Pod

CONTOUR = controller_named("projectcontour.io/contour")
VIP = ip_address("192.0.2.90")


def proxy(number: int, **labels: str) -> Pod:
    """A pod of a proxy."""
    pod = replace(web_pod(number, "edge"), name=f"envoy-{number}")
    return replace(pod, labels=tuple(sorted(labels.items())))


def world(*pods: Pod, **changes: object) -> Cluster:
    """With a Service in front of pods `app=envoy`."""
    front = service(namespace="edge", name="envoy", selector=(("app", "envoy"),), **changes)
    plain = cluster(service(), front)
    return replace(plain, pods=(*plain.pods, *pods))


def names(pods: tuple[Pod, ...]) -> list[str]:
    """Their names."""
    return [each.name for each in pods]


def test_the_published_address_leads_to_a_service_and_its_pods() -> None:
    """The most reliable way."""
    found = entrance(
        world(proxy(1, app="envoy"), balancer=(BalancerAddress(address=VIP),)), CONTOUR, [str(VIP)]
    )

    assert ([each.name for each in found.services], names(found.pods)) == (["envoy"], ["envoy-1"])
    assert "192.0.2.90" in found.why


def test_a_host_name_of_a_cloud_leads_there_too() -> None:
    """Some publish no address."""
    balancer = (BalancerAddress(hostname="lb.example.com"),)

    found = entrance(world(proxy(1, app="envoy"), balancer=balancer), CONTOUR, ["lb.example.com"])

    assert names(found.pods) == ["envoy-1"]


def test_labels_name_the_gateway() -> None:
    """Of proxies that are made for each Gateway."""
    label = {"gateway.networking.k8s.io/gateway-name": "edge"}
    gateway = Gateway(namespace="edge", name="edge", class_name="c")

    found = entrance(world(proxy(1, **label), proxy(2)), CONTOUR, [], gateway)

    assert names(found.pods) == ["envoy-1"]


def test_the_labels_of_a_usual_installation_are_the_last_resort() -> None:
    """With the Service in front of them."""
    found = entrance(world(proxy(1, app="envoy")), CONTOUR, [])

    assert ([each.name for each in found.services], names(found.pods)) == (["envoy"], ["envoy-1"])


def test_a_proxy_in_the_nodes_network_has_no_service() -> None:
    """It is found by the node's address."""
    own = replace(proxy(1), host_network=True, ports=(ContainerPort(port=80),))

    found = entrance(world(own), CONTOUR, ["172.30.1.11"])

    assert (found.services, names(found.pods)) == ((), ["envoy-1"])


def test_nothing_found_says_so() -> None:
    """And a balancer outside of the cluster is not looked for."""
    assert entrance(world(), CONTOUR, []).why == "no pod of Contour was found"
    assert "outside of the cluster" in entrance(world(), controller_named("ingress.k8s.aws/alb"), []).why
