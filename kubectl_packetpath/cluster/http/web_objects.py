"""Ingresses, Gateways and routes, read from the objects of a cluster or a bundle."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from kubectl_packetpath.cluster.fields import Json
from kubectl_packetpath.cluster.http.gateway.objects import gateway_class_of, gateway_of, grant_of, route_of
from kubectl_packetpath.cluster.http.objects import class_of, ingress_of
from kubectl_packetpath.cluster.http.web import KINDS, ROUTE_KINDS, Web
from kubectl_packetpath.cluster.policy.read import absent_of
from kubectl_packetpath.snapshot.absent import Absent, Section, Why

T = TypeVar("T")
Objects = Mapping[str, Iterable[Json]]


def web_of(objects: Objects) -> Web:
    """All of them, and why some are not here."""
    routes = (
        route_of(each, kind) for listed, kind in ROUTE_KINDS.items() for each in objects.get(listed, ())
    )
    return Web(
        ingresses=_section(objects, "ingresses", ingress_of),
        classes=_section(objects, "ingressclasses", class_of),
        gateway_classes=_section(objects, "gatewayclasses", gateway_class_of),
        gateways=_section(objects, "gateways", gateway_of),
        routes=tuple(routes),
        grants=_section(objects, "referencegrants", grant_of),
        absent=tuple((kind, _absent(objects, kind)) for kind in KINDS if kind not in objects),
    )


def _section(objects: Objects, kind: str, read: Callable[[Json], T]) -> Section[T]:
    if kind in objects:
        return tuple(read(each) for each in objects[kind])
    return _absent(objects, kind)


def _absent(objects: Objects, kind: str) -> Absent:
    return absent_of(objects).get(kind) or Absent(why=Why.NOT_ASKED)
