"""Routes below HTTP: TLSRoute by the server name of the handshake, TCPRoute and UDPRoute by the port alone.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#tlsroute
"""

from collections.abc import Iterable

from kubectl_packetpath.cluster.http.decision import Considered, Decision, Fate, Result
from kubectl_packetpath.cluster.http.gateway.attachment import Attachment, attachments
from kubectl_packetpath.cluster.http.gateway.forwarding import forwarded
from kubectl_packetpath.cluster.http.gateway.hostnames import precedence
from kubectl_packetpath.cluster.http.gateway.model import Listener, Match
from kubectl_packetpath.cluster.http.gateway.status import told_of
from kubectl_packetpath.cluster.http.gateway.world import GatewayWorld
from kubectl_packetpath.cluster.http.hosts import covers_any_labels
from kubectl_packetpath.cluster.http.request import HttpRequest


def by_server_name(request: HttpRequest, world: GatewayWorld, listener: Listener) -> Decision:
    """The TLSRoute whose host is nearest; a TCPRoute where TLS ends at the Gateway."""
    found = []
    told: list[Considered] = []
    for each in _attached(world, listener, ("TLSRoute", "TCPRoute"), told):
        covering = [host for host in each.hostnames if covers_any_labels(host, request.sni)]
        if covering:
            found.append((max(map(precedence, covering)), each))
        else:
            told.append(_told(each, Fate.NOT_MATCHED, f"the server name is {request.sni or 'not sent'}"))
    found.sort(key=lambda pair: (-pair[0][0], -pair[0][1], pair[1].route.age))
    return _first(request, world, listener, [each for _, each in found], told)


def by_port(world: GatewayWorld, port: int, protocol: str) -> Decision:
    """The TCPRoute or UDPRoute at a port."""
    request = HttpRequest(scheme="tls", path="", port=port)
    listener = next((x for x in world.gateway.listeners if (x.port, x.protocol) == (port, protocol)), None)
    if listener is None:
        has = ", ".join(each.title for each in world.gateway.listeners)
        return Decision(
            request=request,
            result=Result.REFUSED,
            reason=f"{world.gateway.reference} has no listener for {port}/{protocol} (it has: {has})",
        )
    told: list[Considered] = []
    found = sorted(_attached(world, listener, (f"{protocol}Route",), told), key=lambda each: each.route.age)
    return _first(request, world, listener, found, told)


def _attached(
    world: GatewayWorld, listener: Listener, kinds: Iterable[str], told: list[Considered]
) -> list[Attachment]:
    found = []
    for route in world.routes:
        if route.kind not in kinds:
            continue
        for each in attachments(world.gateway, route, world.labels):
            if each.listener != listener:
                continue
            if each.holds:
                found.append(each)
            else:
                told.append(_told(each, Fate.UNDECIDED if each.unknown else Fate.NOT_SERVED, each.why_not))
    return found


def _told(each: Attachment, fate: Fate, why: str) -> Considered:
    return Considered(
        source=each.route.reference,
        place="rules[0]",
        words=f"for {', '.join(each.hostnames or each.route.hostnames) or 'all connections'}",
        fate=fate,
        why=why,
    )


def _first(
    request: HttpRequest,
    world: GatewayWorld,
    listener: Listener,
    found: list[Attachment],
    told: list[Considered],
) -> Decision:
    if not found or not found[0].route.rules:
        return Decision(
            request=request,
            result=Result.REFUSED,
            reason=f"no route at {listener.title} of {world.gateway.reference} takes the connection",
            considered=tuple(told),
            notes=told_of(world, listener, None),
        )
    first = found[0]
    chosen = _told(first, Fate.CHOSEN, f"at {listener.title}")
    told += [_told(each, Fate.OUTRANKED, f"{first.route.reference} comes first") for each in found[1:]]
    decision = Decision(
        request=request,
        result=Result.FORWARDED,
        reason=f"{first.route.reference} at {listener.title}",
        chosen=chosen,
        considered=(chosen, *told),
        notes=told_of(world, listener, first.route),
    )
    ended = forwarded(decision, first, first.route.rules[0], Match(), world)
    if ended.result is not Result.ANSWERED:
        return ended
    return _reset(ended)


def _reset(decision: Decision) -> Decision:
    """There is no status below HTTP: the connection is reset."""
    return Decision(
        request=decision.request,
        result=Result.REFUSED,
        reason=f"{decision.reason}: the connection is reset",
        chosen=decision.chosen,
        shares=decision.shares,
        considered=decision.considered,
        notes=decision.notes,
        doubts=decision.doubts,
    )
