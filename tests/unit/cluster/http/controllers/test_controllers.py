"""The table of controllers."""

import pytest

from kubectl_packetpath.cluster.http.controllers import CONTROLLERS, controller_named, controller_of_class
from kubectl_packetpath.cluster.http.controllers.base import Controller, Reach


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("k8s.io/ingress-nginx", "ingress-nginx"),
        ("nginx.org/ingress-controller", "NGINX Ingress Controller"),
        ("gateway.nginx.org/nginx-gateway-controller", "NGINX Gateway Fabric"),
        ("traefik.io/ingress-controller", "Traefik"),
        ("traefik.io/gateway-controller", "Traefik"),
        ("haproxy.org/ingress-controller/haproxy", "HAProxy Kubernetes"),
        ("haproxy-ingress.github.io/controller", "HAProxy Ingress"),
        ("ingress-controllers.konghq.com/kong", "Kong"),
        ("konghq.com/kic-gateway-controller", "Kong"),
        ("projectcontour.io/contour", "Contour"),
        ("projectcontour.io/gateway-controller", "Contour"),
        ("gateway.envoyproxy.io/gatewayclass-controller", "Envoy Gateway"),
        ("istio.io/gateway-controller", "Istio"),
        ("cilium.io/ingress-controller", "Cilium"),
        ("io.cilium/gateway-controller", "Cilium"),
        ("ingress.k8s.aws/alb", "AWS"),
        ("gateway.k8s.aws/nlb", "AWS"),
        ("networking.gke.io/gateway", "GKE"),
        ("azure/application-gateway", "Azure"),
        ("alb.networking.azure.io/alb-controller", "Azure"),
    ],
)
def test_a_controller_is_known_by_its_name(name: str, product: str) -> None:
    """As in the class."""
    assert controller_named(name).product.startswith(product)


def test_the_table_is_sorted_and_its_names_are_unique() -> None:
    """So that a newcomer finds the place, and no name has two owners."""
    names = [name for each in CONTROLLERS for name in each.names]

    assert len(names) == len(set(names))
    assert all(each.is_known for each in CONTROLLERS)


@pytest.mark.parametrize("each", CONTROLLERS, ids=lambda each: each.product)
def test_what_an_annotation_says_can_be_told(each: Controller) -> None:
    """Its words take the value, and nothing else."""
    for annotation in each.annotations:
        assert annotation.words.format(value="V")


def test_an_unknown_controller_is_named_and_nothing_is_assumed() -> None:
    """Neither how it reaches backends nor who it is."""
    found = controller_named("example.com/own")

    assert (found.product, found.reach, found.is_known) == ("example.com/own", Reach.UNKNOWN, False)
    assert not controller_of_class("own").is_known
