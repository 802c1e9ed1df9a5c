"""A Service `default/web` behind Contour, and an Envoy that has loaded what the objects say of it."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from builders import client_pod, cluster, service

from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.live.model import (
    Listening,
    Loaded,
    LoadedCluster,
    LoadedRoute,
    Match,
    Member,
    RouteTable,
    VirtualHost,
)
from kubectl_packetpath.cluster.http.plan import Plan, plans
from kubectl_packetpath.cluster.http.web_objects import web_of
from kubectl_packetpath.cluster.model import Cluster, ServicePort

PROXY = replace(client_pod(1, "edge"), name="envoy", labels=(("app", "envoy"),))
ANY = ip_address("0.0.0.0")
WEB = "default/web/80/da39a3ee5e"
INGRESS = Reference(kind="Ingress", namespace="default", name="i")


def world(*paths: str, scheme: str = "http", control: bool = True) -> tuple[Plan, Cluster]:
    """A request for x.test, and the cluster with an Ingress for these paths of it; no other has rules."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [{"path": each, "pathType": "Prefix", "backend": backend} for each in paths]
    given: dict[str, list[dict[str, Any]]] = {
        "ingresses": [
            {
                "metadata": {"namespace": "default", "name": "i"},
                "spec": {
                    "ingressClassName": "c",
                    "rules": [{"host": "x.test", "http": {"paths": rules}}],
                    "tls": [{"hosts": ["x.test"], "secretName": "s"}] if scheme == "https" else [],
                },
            }
        ],
        "ingressclasses": [
            {"metadata": {"name": "c"}, "spec": {"controller": "projectcontour.io/ingress-controller"}}
        ],
    }
    ports = (ServicePort(port=80, target_port="8080"), ServicePort(port=443, target_port="8443"))
    edge = service(namespace="edge", name="envoy", selector=(("app", "envoy"),), ports=ports)
    contour = replace(client_pod(2, "edge"), name="contour", labels=(("app", "contour"),), ready=control)
    found = cluster(service(), edge)
    found = replace(found, web=web_of(given), pods=(*found.pods, PROXY, contour))
    (plan,) = plans(HttpWish(url=f"{scheme}://x.test/"), found)
    return plan, found


def route(match: Match | None = None, *clusters: tuple[str, int], **given: Any) -> LoadedRoute:
    """A route, made from the Ingress."""
    plain = LoadedRoute(
        match=match or Match(kind="prefix", value="/"),
        does="route",
        clusters=clusters or ((WEB, 1),),
        origin=INGRESS,
    )
    return replace(plain, **given)


def loaded(*routes: LoadedRoute, **given: Any) -> Loaded:
    """What Envoy has loaded: these routes for x.test, or the one that the Ingress asks for."""
    host = VirtualHost(domains=("x.test",), routes=routes or (route(),))
    members = tuple(Member(address=ip_address(f"10.244.{n}.3"), port=8080) for n in (1, 2, 3))
    plain = Loaded(
        listeners=(Listening(name="ingress_http", address=ANY, port=8080),),
        tables=(RouteTable(name="ingress_http", hosts=(host,)),),
        clusters=(LoadedCluster(name=WEB, source="default/web/http", members=members),),
    )
    return replace(plain, **given)
