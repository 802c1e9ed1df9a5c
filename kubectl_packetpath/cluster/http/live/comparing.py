"""A proxy's own configuration, held against what the objects promise for one request.

First whether it listens, then which route it has, then whether that route leads to the endpoints that are ready. The first
difference ends the comparison: what comes after it is another request's story.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from kubectl_packetpath.cluster.http.backends import port_of_backend, service_of_backend
from kubectl_packetpath.cluster.http.decision import Backend, Decision, Result
from kubectl_packetpath.cluster.http.live.choosing import Choice, Found, choose, listeners_on
from kubectl_packetpath.cluster.http.live.drift import Drift, Parting, View
from kubectl_packetpath.cluster.http.live.hosts import of_control, of_hosts, source_of
from kubectl_packetpath.cluster.http.live.model import Loaded, LoadedRoute
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.cluster.model import Cluster, Pod, Service, ServicePort
from kubectl_packetpath.trace import Fact

Targets = Mapping[str, Fraction]
"""Services, as the clusters name them, with their shares."""


def compare(plan: Plan, cluster: Cluster, pod: Pod, loaded: Loaded) -> View:
    """What one proxy says of a request."""
    view = View(pod=pod.full_name, node=pod.node)
    decision = plan.decision
    if decision.result in {Result.UNKNOWN, Result.REFUSED} or plan.settings.passthrough:
        return _undecided(view, "the objects promise no answer that it could be held against")
    ports = ports_of(plan, pod)
    if not ports:
        return _undecided(view, f"which of its ports takes port {plan.request.port} is not known")
    listeners = [each for port in ports for each in listeners_on(loaded, port, pod.addresses)]
    if not listeners:
        if decision.chosen is None:
            return view
        return _with(view, _no_listener(plan, loaded, ports))
    choice = choose(loaded, listeners[0], plan.request)
    why = choice.why if choice.found is Found.UNDECIDED else _beyond(plan, cluster, choice)
    if why:
        return _undecided(view, why)
    return _with(view, *_of_route(plan, cluster, loaded, choice))


def _beyond(plan: Plan, cluster: Cluster, choice: Choice) -> str:
    """Why a route cannot be held against the objects that were read; empty: it can."""
    route, decision = choice.route, plan.decision
    if route is None:
        return ""
    if decision.chosen is None:
        by = route.origin or "something else"
        return (
            "" if _is_stale(plan, route) else f"its Envoy has a route from {by}, which is not looked at here"
        )
    if decision.result is Result.REDIRECTED or route.does == "redirect" or _promised(decision, cluster):
        return ""
    return "behind the rule stands something else than Services that are there"


def _undecided(view: View, why: str) -> View:
    return View(pod=view.pod, node=view.node, undecided=why)


def _with(view: View, *drifts: Drift) -> View:
    return View(pod=view.pod, node=view.node, drifts=drifts)


def ports_of(plan: Plan, pod: Pod) -> tuple[int, ...]:
    """The ports of a proxy to which its Services send what comes in on the port that was asked."""
    found = [
        _number(port, pod)
        for service in plan.entrance.services
        for port in service.ports
        if port.port == plan.request.port and port.protocol == "TCP"
    ]
    if not plan.entrance.services:
        found.append(plan.request.port)
    return tuple(dict.fromkeys(number for number in found if number))


def _number(port: ServicePort, pod: Pod) -> int:
    if not port.target_port:
        return port.port
    if port.target_port.isdigit():
        return int(port.target_port)
    return next((each.port for each in pod.ports if each.name == port.target_port), 0)


def _no_listener(plan: Plan, loaded: Loaded, ports: tuple[int, ...]) -> Drift:
    there = ", ".join(f"{each.name} on {each.address}:{each.port}" for each in loaded.listeners) or "none"
    wanted = ", ".join(map(str, ports))
    return Drift(
        parting=Parting.NO_LISTENER,
        message=f"its Envoy has no listener for port {wanted}, where requests to port {plan.request.port} are sent",
        evidence=(Fact(section="envoy", key="/listeners", text=there[:300]),),
        family="lost",
        remedy=(*_of_objects(plan.decision), *of_control(plan)),
    )


def _of_route(plan: Plan, cluster: Cluster, loaded: Loaded, choice: Choice) -> Iterator[Drift]:
    decision, route = plan.decision, choice.route
    if decision.chosen is None:
        if route is not None:
            yield _other(plan, choice, route, "no rule of the objects takes the request")
        return
    if route is None:
        yield Drift(
            parting=Parting.NO_ROUTE,
            message=f"its Envoy does not know {decision.chosen.title}: {choice.why}, and answers 404",
            evidence=(Fact(section="envoy", key=f"routes {choice.table}", text=choice.why),),
            family="lost",
            remedy=(*_of_objects(decision), *of_control(plan)),
        )
        return
    if decision.result is Result.REDIRECTED or route.does == "redirect":
        if (decision.result is Result.REDIRECTED) != (route.does == "redirect"):
            yield _other(plan, choice, route, f"the objects say: {decision.result}")
        return
    promised = _promised(decision, cluster)
    loads = _loads(loaded, route)
    if not _same(promised, loads):
        yield _other(plan, choice, route, f"the objects send it to {_listed(promised)}")
        return
    for share in decision.shares:
        service, port = _behind(cluster, share.backend)
        if service is not None and port is not None and service.type != "ExternalName":
            yield from of_hosts(plan, cluster, loaded, route, (service, port))


def _is_stale(plan: Plan, route: LoadedRoute) -> bool:
    """Made from an object of the very kind that was looked at; others, as HTTPProxies, are not read."""
    kind = "Ingress" if plan.gateway is None else "HTTPRoute"
    return route.origin is not None and route.origin.kind == kind and route.does == "route"


def _other(plan: Plan, choice: Choice, route: LoadedRoute, promise: str) -> Drift:
    to = ", ".join(name for name, weight in route.clusters if weight) or str(route.status or "")
    what = f"{route.does} {to}".strip()
    by = f", made from {route.origin}" if route.origin is not None else ""
    read = route.origin is None or route.origin.kind in {"Ingress", "HTTPRoute", "GRPCRoute"}
    return Drift(
        parting=Parting.OTHER_ROUTE,
        message=f"its Envoy does otherwise than the objects say: {what}{by}; {promise}",
        evidence=(Fact(section="envoy", key=f"routes {choice.table}", text=f"{route.match}: {what}"[:300]),),
        family="lost" if read else "unknown",
        remedy=(*_of_objects(plan.decision), *of_control(plan)),
    )


def _behind(cluster: Cluster, backend: Backend) -> tuple[Service | None, ServicePort | None]:
    service = service_of_backend(cluster, backend)
    return service, port_of_backend(service, backend.port) if service is not None else None


def _promised(decision: Decision, cluster: Cluster) -> dict[str, Fraction]:
    """Empty: something else than Services that are there stands behind the rule."""
    found: dict[str, Fraction] = {}
    for share in decision.shares:
        service, port = _behind(cluster, share.backend)
        if service is None or port is None or service.type == "ExternalName":
            return {}
        if share.weight:
            key = source_of(service, port)
            found[key] = found.get(key, Fraction(0)) + Fraction(share.weight)
    return found


def _loads(loaded: Loaded, route: LoadedRoute) -> dict[str, Fraction]:
    total = sum(weight for _, weight in route.clusters)
    found: dict[str, Fraction] = {}
    for name, weight in route.clusters:
        cluster = loaded.cluster(name)
        key = cluster.source or name if cluster is not None else name
        if weight:
            found[key] = found.get(key, Fraction(0)) + Fraction(weight, total)
    return found


def _same(promised: Targets, loads: Targets) -> bool:
    whole = sum(promised.values())
    return {key: value / whole for key, value in promised.items()} == dict(loads)


def _listed(targets: Targets) -> str:
    return ", ".join(f"{name} ({float(weight):.0%})" for name, weight in sorted(targets.items()))


def _of_objects(decision: Decision) -> Iterator[str]:
    if decision.chosen is not None:
        source = decision.chosen.source
        yield f"kubectl -n {source.namespace} describe {source.kind.lower()} {source.name}"
