"""Load balancers of clouds, which are outside of the cluster.

Documented behaviour: kubernetes-sigs.github.io/aws-load-balancer-controller, cloud.google.com/kubernetes-engine/docs, learn.microsoft.com/azure/application-gateway
"""

from kubectl_packetpath.cluster.http.controllers.annotations import affinity, protocol, rewrite
from kubectl_packetpath.cluster.http.controllers.base import (
    Annotation,
    Controller,
    Effect,
    HttpsRedirect,
    Reach,
)
from kubectl_packetpath.cluster.http.manner import Manner, PathManner

ALB = Controller(
    product="AWS Load Balancer Controller",
    names=("ingress.k8s.aws/alb", "gateway.k8s.aws/*"),
    classes=("alb",),
    reach=Reach.NODE_PORT,
    manner=Manner(own_paths=PathManner.STAR),
    annotations=(
        Annotation(
            name="alb.ingress.kubernetes.io/target-type",
            effect=Effect.TO_PODS_OR_NODES,
            words="targets are of the type {value}",
        ),
        protocol("alb.ingress.kubernetes.io/backend-protocol"),
        Annotation(
            name="alb.ingress.kubernetes.io/listen-ports", effect=Effect.OTHER, words="listens on {value}"
        ),
        Annotation(
            name="alb.ingress.kubernetes.io/certificate-arn",
            effect=Effect.CERTIFICATE,
            words="the certificate is {value} of AWS, not a Secret",
        ),
    ),
    redirect=HttpsRedirect(status=301, by_default=False, force="alb.ingress.kubernetes.io/ssl-redirect"),
    in_cluster=False,
    ports="alb.ingress.kubernetes.io/listen-ports",
    live="TargetGroupBinding objects",
)

GCE = Controller(
    product="GKE Ingress and Gateway",
    names=("k8s.io/ingress-gce", "networking.gke.io/gateway"),
    classes=("gce", "gce-internal"),
    reach=Reach.NODE_PORT,
    manner=Manner(own_paths=PathManner.STAR),
    annotations=(
        Annotation(
            name="cloud.google.com/neg",
            effect=Effect.TO_PODS_OR_NODES,
            words="targets are network endpoint groups ({value})",
            of_service=True,
        ),
        Annotation(
            name="networking.gke.io/managed-certificates",
            effect=Effect.CERTIFICATE,
            words="the certificates {value} are Google's, not Secrets",
        ),
    ),
    allows_http="kubernetes.io/ingress.allow-http",
    in_cluster=False,
    live="the annotation cloud.google.com/neg-status of Services",
)

AZURE = Controller(
    product="Azure Application Gateway",
    names=("azure/application-gateway", "alb.networking.azure.io/alb-controller"),
    classes=("azure/application-gateway", "azure-application-gateway"),
    manner=Manner(own_paths=PathManner.STAR),
    annotations=(
        protocol("appgw.ingress.kubernetes.io/backend-protocol"),
        rewrite("appgw.ingress.kubernetes.io/backend-path-prefix"),
        affinity("appgw.ingress.kubernetes.io/cookie-based-affinity"),
    ),
    redirect=HttpsRedirect(status=301, by_default=False, force="appgw.ingress.kubernetes.io/ssl-redirect"),
    in_cluster=False,
)
