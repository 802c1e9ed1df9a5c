"""Annotations that many controllers have, under names of their own."""

from kubectl_packetpath.cluster.http.controllers.base import Annotation, Effect


def to_cluster_ip(name: str, *, of_service: bool = False) -> Annotation:
    """The proxy connects to the Service itself."""
    return Annotation(
        name=name,
        effect=Effect.TO_CLUSTER_IP,
        words="the proxy connects to the Service's ClusterIP",
        of_service=of_service,
    )


def passthrough(name: str) -> Annotation:
    """TLS is not ended at the proxy."""
    return Annotation(
        name=name,
        effect=Effect.PASSTHROUGH,
        words="TLS passes through to the backend: only the server name decides, paths do not",
    )


def rewrite(name: str) -> Annotation:
    """The path is changed."""
    return Annotation(name=name, effect=Effect.REWRITE, words="the path is rewritten to {value}")


def protocol(name: str, *, of_service: bool = False) -> Annotation:
    """What is spoken to the backend."""
    words = "the proxy speaks {value} to the backend"
    return Annotation(
        name=name, effect=Effect.BACKEND_PROTOCOL, words=words, of_service=of_service, unless=("", "HTTP")
    )


def tls_to_backend(name: str) -> Annotation:
    """TLS is spoken to the backend."""
    words = "the proxy speaks TLS to the backend"
    return Annotation(name=name, effect=Effect.BACKEND_PROTOCOL, words=words)


def affinity(name: str, *, of_service: bool = False) -> Annotation:
    """A client stays with one endpoint."""
    words = "a client stays with one endpoint ({value})"
    return Annotation(name=name, effect=Effect.AFFINITY, words=words, of_service=of_service)
