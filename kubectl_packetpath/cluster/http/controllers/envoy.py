"""Controllers that run Envoy.

Documented behaviour: projectcontour.io/docs, gateway.envoyproxy.io, istio.io/docs, docs.cilium.io
"""

from kubectl_packetpath.cluster.http.controllers.annotations import passthrough
from kubectl_packetpath.cluster.http.controllers.base import (
    Annotation,
    Controller,
    Effect,
    HttpsRedirect,
    Reach,
)
from kubectl_packetpath.cluster.http.gateway.world import GatewayManner
from kubectl_packetpath.cluster.http.manner import Fallback, Manner, MissingService, PathManner

COMPONENT = "app.kubernetes.io/component"

CONTOUR = Controller(
    product="Contour",
    names=("projectcontour.io/*",),
    classes=("contour",),
    labels=(("app", "envoy"), (COMPONENT, "envoy")),
    control=(("app", "contour"), (COMPONENT, "contour")),
    gateway_labels=("projectcontour.io/owning-gateway-name", "gateway.networking.k8s.io/gateway-name"),
    manner=Manner(
        own_paths=PathManner.UNLESS_PLAIN,
        fallback=Fallback.NOT_FOUND,
        missing_service=MissingService.SKIPPED,
        hosts_cover_wildcards=True,
    ),
    gateway=GatewayManner(isolates=True, falls_through=False, expressions_rank=True),
    annotations=(
        Annotation(
            name="projectcontour.io/upstream-protocol.tls",
            effect=Effect.BACKEND_PROTOCOL,
            words="the proxy speaks TLS to the ports {value}",
            of_service=True,
        ),
        Annotation(
            name="projectcontour.io/upstream-protocol.h2c",
            effect=Effect.BACKEND_PROTOCOL,
            words="the proxy speaks HTTP/2 without TLS to the ports {value}",
            of_service=True,
        ),
        Annotation(
            name="projectcontour.io/response-timeout",
            effect=Effect.OTHER,
            words="an answer that takes longer than {value} becomes 504",
        ),
    ),
    redirect=HttpsRedirect(status=301, by_default=False, force="ingress.kubernetes.io/force-ssl-redirect"),
    allows_http="kubernetes.io/ingress.allow-http",
    default_certificate="",
    live="Envoy's admin interface: a socket, and 127.0.0.1:9001 of its pod for reading /clusters, /config_dump, ...",
    admin_port=9001,
)

ENVOY_GATEWAY = Controller(
    product="Envoy Gateway",
    names=("gateway.envoyproxy.io/gatewayclass-controller",),
    gateway_labels=("gateway.envoyproxy.io/owning-gateway-name",),
    gateway=GatewayManner(falls_through=False),
    live="Envoy's admin interface, :19000 of its pod: /clusters, /config_dump",
)

ISTIO = Controller(
    product="Istio",
    names=("istio.io/gateway-controller", "istio.io/ingress-controller"),
    classes=("istio",),
    labels=(("istio", "ingressgateway"),),
    gateway_labels=("gateway.networking.k8s.io/gateway-name", "istio.io/gateway-name"),
    manner=Manner(own_paths=PathManner.STAR, fallback=Fallback.NOT_FOUND),
    gateway=GatewayManner(falls_through=False),
    default_certificate="",
    live=":15000 of its pod: /clusters, /config_dump",
)

CILIUM = Controller(
    product="Cilium",
    names=("cilium.io/ingress-controller", "io.cilium/gateway-controller"),
    classes=("cilium",),
    labels=(("k8s-app", "cilium-envoy"), ("k8s-app", "cilium")),
    reach=Reach.ON_NODE,
    manner=Manner(own_paths=PathManner.REGEX, fallback=Fallback.NOT_FOUND),
    gateway=GatewayManner(falls_through=False),
    annotations=(passthrough("ingress.cilium.io/tls-passthrough"),),
    live="CiliumEnvoyConfig objects; cilium-dbg envoy admin",
)
