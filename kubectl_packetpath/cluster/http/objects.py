"""Ingress and IngressClass, read from Kubernetes' JSON.

Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
"""

from kubectl_packetpath.cluster.fields import Json, optional_text, pairs, part, rows, text, texts
from kubectl_packetpath.cluster.http.decision import Backend, Reference
from kubectl_packetpath.cluster.http.model import (
    DEFAULT_CLASS,
    Ingress,
    IngressClass,
    IngressPath,
    IngressRule,
    TlsEntry,
)


def ingress_of(given: Json) -> Ingress:
    """An Ingress."""
    meta, spec = part(given, "metadata"), part(given, "spec")
    namespace = text(meta, "namespace")
    listed = rows(part(part(given, "status"), "loadBalancer"), "ingress")
    default = part(spec, "defaultBackend")
    return Ingress(
        namespace=namespace,
        name=text(meta, "name"),
        created=text(meta, "creationTimestamp"),
        class_name=optional_text(spec, "ingressClassName"),
        annotations=pairs(meta.get("annotations")),
        rules=tuple(_rule(each, namespace) for each in rows(spec, "rules")),
        default_backend=_backend(default, namespace) if default else None,
        tls=tuple(
            TlsEntry(hosts=texts(each, "hosts"), secret=text(each, "secretName"))
            for each in rows(spec, "tls")
        ),
        addresses=tuple(text(each, "ip") or text(each, "hostname") for each in listed),
    )


def _rule(given: Json, namespace: str) -> IngressRule:
    paths = (
        IngressPath(
            path=text(each, "path"),
            type=text(each, "pathType") or "ImplementationSpecific",
            backend=_backend(part(each, "backend"), namespace),
        )
        for each in rows(part(given, "http"), "paths")
    )
    return IngressRule(host=text(given, "host"), paths=tuple(paths))


def _backend(given: Json, namespace: str) -> Backend:
    service, resource = part(given, "service"), part(given, "resource")
    if service or not resource:
        port = part(service, "port")
        number = port.get("number")
        return Backend(
            target=Reference(kind="Service", namespace=namespace, name=text(service, "name")),
            port=text(port, "name") or (str(number) if number else ""),
        )
    return Backend(
        target=Reference(
            kind=text(resource, "kind"),
            namespace=namespace,
            name=text(resource, "name"),
            group=text(resource, "apiGroup"),
        )
    )


def class_of(given: Json) -> IngressClass:
    """An IngressClass."""
    meta, spec = part(given, "metadata"), part(given, "spec")
    parameters = part(spec, "parameters")
    marked = dict(pairs(meta.get("annotations"))).get(DEFAULT_CLASS)
    return IngressClass(
        name=text(meta, "name"),
        controller=text(spec, "controller"),
        is_default=marked == "true",
        parameters=f"{text(parameters, 'kind')} {text(parameters, 'name')}" if parameters else "",
        created=text(meta, "creationTimestamp"),
    )
