"""Controllers that run HAProxy.

Documented behaviour: haproxy.com/documentation/kubernetes-ingress, haproxy-ingress.github.io
"""

from kubectl_packetpath.cluster.http.controllers.annotations import (
    affinity,
    passthrough,
    protocol,
    rewrite,
    tls_to_backend,
    to_cluster_ip,
)
from kubectl_packetpath.cluster.http.controllers.base import Annotation, Controller, Effect, HttpsRedirect
from kubectl_packetpath.cluster.http.manner import Conflict, Manner, PathManner

NAME = "app.kubernetes.io/name"

HAPROXY = Controller(
    product="HAProxy Kubernetes Ingress Controller",
    names=("haproxy.org/ingress-controller/*", "haproxy.org/ingress-controller"),
    classes=("haproxy",),
    labels=((NAME, "kubernetes-ingress"),),
    manner=Manner(own_paths=PathManner.STRING),
    annotations=(
        passthrough("haproxy.org/ssl-passthrough"),
        rewrite("haproxy.org/path-rewrite"),
        tls_to_backend("haproxy.org/server-ssl"),
        affinity("haproxy.org/cookie-persistence"),
        protocol("haproxy.org/server-proto"),
    ),
    redirect=HttpsRedirect(status=302, by_default=True, switch="haproxy.org/ssl-redirect"),
    live="the runtime socket: show servers state",
)

HAPROXY_INGRESS = Controller(
    product="HAProxy Ingress",
    names=("haproxy-ingress.github.io/controller", "haproxy-ingress.github.io/controller*"),
    classes=("haproxy",),
    labels=((NAME, "haproxy-ingress"),),
    manner=Manner(own_paths=PathManner.STRING, conflict=Conflict.OLDEST),
    annotations=(
        to_cluster_ip("haproxy-ingress.github.io/service-upstream"),
        passthrough("haproxy-ingress.github.io/ssl-passthrough"),
        rewrite("haproxy-ingress.github.io/rewrite-target"),
        protocol("haproxy-ingress.github.io/backend-protocol"),
        affinity("haproxy-ingress.github.io/affinity"),
        Annotation(
            name="haproxy-ingress.github.io/path-type",
            effect=Effect.EXPRESSIONS,
            words="paths are compared as {value}",
        ),
    ),
    redirect=HttpsRedirect(status=302, by_default=True, switch="haproxy-ingress.github.io/ssl-redirect"),
    default_certificate="a self-signed certificate of the controller, unless it was given another one",
    live="the runtime socket: show servers state",
)
