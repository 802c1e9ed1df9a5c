"""Traefik and Kong.

Documented behaviour: doc.traefik.io, developer.konghq.com/kubernetes-ingress-controller
"""

from kubectl_packetpath.cluster.http.controllers.annotations import affinity, protocol, rewrite, to_cluster_ip
from kubectl_packetpath.cluster.http.controllers.base import Annotation, Controller, Effect
from kubectl_packetpath.cluster.http.gateway.world import GatewayManner
from kubectl_packetpath.cluster.http.manner import Fallback, Manner, MissingService, PathManner

NAME = "app.kubernetes.io/name"

TRAEFIK = Controller(
    product="Traefik",
    names=("traefik.io/ingress-controller", "traefik.io/gateway-controller"),
    classes=("traefik",),
    labels=((NAME, "traefik"),),
    manner=Manner(
        own_paths=PathManner.STRING,
        prefixes=PathManner.STRING,
        fallback=Fallback.WIDER_HOSTS,
        missing_service=MissingService.SKIPPED,
    ),
    gateway=GatewayManner(falls_through=True),
    annotations=(
        to_cluster_ip("traefik.ingress.kubernetes.io/service.nativelb", of_service=True),
        affinity("traefik.ingress.kubernetes.io/service.sticky.cookie", of_service=True),
        protocol("traefik.ingress.kubernetes.io/service.serversscheme", of_service=True),
        Annotation(
            name="traefik.ingress.kubernetes.io/router.middlewares",
            effect=Effect.OTHER,
            words="passes the middlewares {value}",
        ),
        Annotation(
            name="traefik.ingress.kubernetes.io/router.entrypoints",
            effect=Effect.OTHER,
            words="is served by the entry points {value} only",
        ),
    ),
    default_certificate="the certificate of the default TLS store, else one that Traefik made itself",
    live=":8080/api/rawdata of its pod, where the API is on",
)

KONG = Controller(
    product="Kong",
    names=("ingress-controllers.konghq.com/kong", "konghq.com/kic-gateway-controller"),
    classes=("kong",),
    labels=((NAME, "kong"),),
    manner=Manner(own_paths=PathManner.STRING),
    annotations=(
        to_cluster_ip("ingress.kubernetes.io/service-upstream", of_service=True),
        protocol("konghq.com/protocol", of_service=True),
        Annotation(
            name="konghq.com/strip-path",
            effect=Effect.REWRITE,
            words="the part of the path that matched is taken off",
        ),
        rewrite("konghq.com/rewrite"),
        Annotation(name="konghq.com/plugins", effect=Effect.OTHER, words="passes the plugins {value}"),
    ),
    default_certificate="a self-signed certificate of Kong",
    live="the admin API, :8444 or :8001 of its pod",
)
