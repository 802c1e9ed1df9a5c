"""Controllers that run NGINX.

Documented behaviour: kubernetes.github.io/ingress-nginx, docs.nginx.com/nginx-ingress-controller, docs.nginx.com/nginx-gateway-fabric
"""

from kubectl_packetpath.cluster.http.controllers.annotations import (
    affinity,
    passthrough,
    protocol,
    rewrite,
    to_cluster_ip,
)
from kubectl_packetpath.cluster.http.controllers.base import Annotation, Controller, Effect, HttpsRedirect
from kubectl_packetpath.cluster.http.manner import Conflict, Fallback, Manner, PathManner

NGINX = "nginx.ingress.kubernetes.io"
NAME = "app.kubernetes.io/name"

INGRESS_NGINX = Controller(
    product="ingress-nginx (retired in March 2026)",
    names=("k8s.io/ingress-nginx",),
    classes=("nginx",),
    labels=((NAME, "ingress-nginx"),),
    manner=Manner(
        own_paths=PathManner.STRING,
        conflict=Conflict.OLDEST,
        fallback=Fallback.DEFAULT_BACKEND,
        default_by_host=True,
    ),
    annotations=(
        to_cluster_ip(f"{NGINX}/service-upstream"),
        rewrite(f"{NGINX}/rewrite-target"),
        passthrough(f"{NGINX}/ssl-passthrough"),
        protocol(f"{NGINX}/backend-protocol"),
        affinity(f"{NGINX}/affinity"),
        Annotation(
            name=f"{NGINX}/use-regex", effect=Effect.EXPRESSIONS, words="paths of the host are expressions"
        ),
        Annotation(
            name=f"{NGINX}/upstream-hash-by", effect=Effect.AFFINITY, words="an endpoint by hash of {value}"
        ),
        Annotation(
            name=f"{NGINX}/proxy-ssl-verify",
            effect=Effect.OTHER,
            words="the proxy checks the backend's certificate",
            unless=("off", "false", ""),
        ),
        Annotation(
            name=f"{NGINX}/proxy-ssl-secret",
            effect=Effect.OTHER,
            words="it trusts what Secret {value} holds, and shows the certificate there",
        ),
        Annotation(name=f"{NGINX}/upstream-vhost", effect=Effect.REWRITE, words="the host becomes {value}"),
        Annotation(
            name=f"{NGINX}/whitelist-source-range",
            effect=Effect.OTHER,
            words="only clients of {value} are let in, others get 403",
        ),
        Annotation(
            name=f"{NGINX}/permanent-redirect",
            effect=Effect.OTHER,
            words="all requests are redirected to {value}",
        ),
    ),
    redirect=HttpsRedirect(
        status=308, by_default=True, switch=f"{NGINX}/ssl-redirect", force=f"{NGINX}/force-ssl-redirect"
    ),
    default_certificate="the controller's own self-signed certificate (Kubernetes Ingress Controller Fake "
    "Certificate), unless it was given another one",
    live="/dbg backends all, and /etc/nginx/nginx.conf in its pod",
)

F5_NGINX = Controller(
    product="NGINX Ingress Controller of F5",
    names=("nginx.org/ingress-controller",),
    labels=((NAME, "nginx-ingress"),),
    manner=Manner(own_paths=PathManner.STRING, conflict=Conflict.OLDEST),
    annotations=(
        to_cluster_ip("nginx.org/use-cluster-ip"),
        Annotation(name="nginx.org/rewrites", effect=Effect.REWRITE, words="paths are rewritten: {value}"),
        Annotation(
            name="nginx.org/ssl-services",
            effect=Effect.BACKEND_PROTOCOL,
            words="the proxy speaks TLS to the Services {value}",
        ),
        Annotation(
            name="nginx.org/path-regex", effect=Effect.EXPRESSIONS, words="paths are expressions ({value})"
        ),
        Annotation(name="nginx.org/lb-method", effect=Effect.OTHER, words="endpoints are chosen by {value}"),
    ),
    redirect=HttpsRedirect(status=301, by_default=True, switch="nginx.org/redirect-to-https"),
    default_certificate="the certificate of the default server, which the operator gave to the controller",
    live="nginx -T in its pod",
)

NGINX_GATEWAY = Controller(
    product="NGINX Gateway Fabric",
    names=("gateway.nginx.org/nginx-gateway-controller",),
    labels=((NAME, "nginx-gateway-fabric"),),
    live="nginx -T in the pod of each Gateway",
)
