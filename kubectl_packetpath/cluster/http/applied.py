"""What the Ingresses of one controller make of a request, with all that is known of the controller.

The rules of the specification first; then what its documentation says: redirects to HTTPS, TLS that passes through,
canaries, and how the proxy reaches the backend.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kubectl_packetpath.cluster.http.backends import problem_of, service_of_backend
from kubectl_packetpath.cluster.http.canary import is_canary, with_canaries
from kubectl_packetpath.cluster.http.classes import Serving
from kubectl_packetpath.cluster.http.controllers.base import Controller, Effect
from kubectl_packetpath.cluster.http.decision import Decision, Result
from kubectl_packetpath.cluster.http.hosts import covers_one_label
from kubectl_packetpath.cluster.http.ingress import route_ingress
from kubectl_packetpath.cluster.http.listening import is_redirected, listens_on, not_listening
from kubectl_packetpath.cluster.http.manner import Manner, PathManner
from kubectl_packetpath.cluster.http.model import Ingress
from kubectl_packetpath.cluster.http.request import HttpRequest
from kubectl_packetpath.cluster.http.settings import Settings, is_false, is_true, settings_of
from kubectl_packetpath.cluster.model import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A decision, and how the controller carries it out."""

    decision: Decision
    controller: Controller
    name: str
    """The controller as its class names it."""
    settings: Settings
    ingress: Ingress | None = None
    """The one whose rule was chosen."""


def applied(request: HttpRequest, servings: Sequence[Serving], cluster: Cluster) -> Applied:
    """What the controller of these Ingresses does with a request."""
    first = servings[0]
    controller = first.controller
    ingresses = [each.ingress for each in servings]
    if request.is_tls and controller.default_certificate == "" and not _any_tls(ingresses, request.host):
        return _handshake_fails(request, first)
    canaries = [each for each in ingresses if is_canary(each)]
    others = [each for each in ingresses if not is_canary(each) and _takes(controller, each, request)]
    manners = _manners(controller, others)
    decision = route_ingress(
        request,
        others,
        lambda ingress: manners[ingress.namespace, ingress.name],
        lambda backend: problem_of(cluster, backend),
    )
    decision = with_canaries(decision, canaries, lambda backend: problem_of(cluster, backend))
    ingress = _chosen(decision, ingresses)
    serving = next((each for each in servings if each.ingress == ingress), first)
    service = service_of_backend(cluster, decision.shares[0].backend) if decision.shares else None
    settings = settings_of(controller, ingress, service)
    decision = _listening(_redirected(decision, controller, ingress), controller, ingress)
    if not serving.certain:
        decision = replace(decision, doubts=(*decision.doubts, f"{serving.ingress.reference}: {serving.why}"))
    changes = (*decision.changes, *settings.words) if decision.result is Result.FORWARDED else ()
    return Applied(
        decision=replace(decision, changes=changes),
        controller=controller,
        name=first.name,
        settings=settings,
        ingress=ingress,
    )


def _handshake_fails(request: HttpRequest, serving: Serving) -> Applied:
    reason = (
        f"no Ingress of {serving.name} has TLS for {request.host}, and {serving.controller.product} has no "
        "certificate for other names: the handshake fails"
    )
    return Applied(
        decision=Decision(request=request, result=Result.REFUSED, reason=reason),
        controller=serving.controller,
        name=serving.name,
        settings=Settings(reach=serving.controller.reach),
    )


def _any_tls(ingresses: Sequence[Ingress], host: str) -> bool:
    return any(_has_tls(each, host) for each in ingresses)


def _takes(controller: Controller, ingress: Ingress, request: HttpRequest) -> bool:
    """Whether the controller serves an Ingress on the port that was asked."""
    if request.is_tls:
        return controller.default_certificate != "" or _has_tls(ingress, request.host)
    force = controller.redirect.force if controller.redirect is not None else ""
    return is_true(ingress, force) or not is_false(ingress, controller.allows_http)


def _has_tls(ingress: Ingress, host: str) -> bool:
    return any(covers_one_label(each, host) for entry in ingress.tls for each in entry.hosts)


def _manners(controller: Controller, ingresses: Sequence[Ingress]) -> dict[tuple[str, str], Manner]:
    """Annotations that make expressions of paths do so for all Ingresses of the host."""
    names = [each.name for each in controller.annotations if each.effect is Effect.EXPRESSIONS]
    rewrites = [each.name for each in controller.annotations if each.effect is Effect.REWRITE]
    hosts: set[str] = set()
    for ingress in ingresses:
        wanted = any(is_true(ingress, name) for name in names)
        # A rewrite whose target has groups ($1) makes expressions of the paths, too.
        wanted = wanted or any("$" in (ingress.annotation(name) or "") for name in rewrites)
        if wanted:
            hosts |= {rule.host for rule in ingress.rules}
    loose = replace(controller.manner, own_paths=PathManner.LOOSE, prefixes=PathManner.LOOSE)
    return {
        (each.namespace, each.name): loose
        if hosts & {rule.host for rule in each.rules}
        else controller.manner
        for each in ingresses
    }


def _chosen(decision: Decision, ingresses: Sequence[Ingress]) -> Ingress | None:
    if decision.chosen is None:
        return None
    return next((each for each in ingresses if each.reference == decision.chosen.source), None)


def _listening(decision: Decision, controller: Controller, ingress: Ingress | None) -> Decision:
    """A load balancer of its own listens on the ports that its Ingress names, and no others."""
    if ingress is None or not controller.ports:
        return decision
    ports = listens_on(controller, ingress)
    if ports is None or decision.request.port in ports:
        return decision
    reason = not_listening(controller, ports, decision.request.port)
    return replace(decision, result=Result.REFUSED, reason=reason, status=None, location="", shares=())


def _redirected(decision: Decision, controller: Controller, ingress: Ingress | None) -> Decision:
    """Plain HTTP for a host with TLS is redirected by many controllers."""
    redirect, request = controller.redirect, decision.request
    if redirect is None or ingress is None or request.is_tls:
        return decision
    by_default = redirect.by_default and not is_false(ingress, redirect.switch)
    forced = is_true(ingress, redirect.force) or is_redirected(ingress, redirect.force)
    if not (forced or (by_default and _has_tls(ingress, request.host))):
        return decision
    return replace(
        decision,
        result=Result.REDIRECTED,
        status=redirect.status,
        location=f"https://{request.host}{request.path}",
        reason=f"{decision.reason}: {controller.product} redirects plain HTTP to HTTPS here",
        shares=(),
    )
