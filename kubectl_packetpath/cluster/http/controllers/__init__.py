"""The known controllers: a row for each, with its documented behaviour."""

from kubectl_packetpath.cluster.http.controllers.base import Controller, unknown_controller
from kubectl_packetpath.cluster.http.controllers.clouds import ALB, AZURE, GCE
from kubectl_packetpath.cluster.http.controllers.envoy import CILIUM, CONTOUR, ENVOY_GATEWAY, ISTIO
from kubectl_packetpath.cluster.http.controllers.haproxy import HAPROXY, HAPROXY_INGRESS
from kubectl_packetpath.cluster.http.controllers.nginx import F5_NGINX, INGRESS_NGINX, NGINX_GATEWAY
from kubectl_packetpath.cluster.http.controllers.proxies import KONG, TRAEFIK

CONTROLLERS = (
    ALB,
    AZURE,
    CILIUM,
    CONTOUR,
    ENVOY_GATEWAY,
    F5_NGINX,
    GCE,
    HAPROXY,
    HAPROXY_INGRESS,
    INGRESS_NGINX,
    ISTIO,
    KONG,
    NGINX_GATEWAY,
    TRAEFIK,
)


def controller_named(name: str) -> Controller:
    """The controller of a class."""
    for each in CONTROLLERS:
        for known in each.names:
            if name == known or (known.endswith("*") and name.startswith(known[:-1])):
                return each
    return unknown_controller(name)


def controller_of_class(name: str) -> Controller:
    """The controller that an annotation of old names by its class."""
    return next((each for each in CONTROLLERS if name in each.classes), unknown_controller(name))
