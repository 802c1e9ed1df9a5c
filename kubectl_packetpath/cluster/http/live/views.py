"""Which proxies are asked what they have loaded, and what becomes of an answer by what they say."""

from collections.abc import Callable
from dataclasses import replace

from kubectl_packetpath.cluster.http.control import idle
from kubectl_packetpath.cluster.http.live.comparing import compare
from kubectl_packetpath.cluster.http.live.drift import Live, View
from kubectl_packetpath.cluster.http.live.model import Loaded
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.cluster.model import Cluster, Pod

MOST_PROXIES = 8
Said = Callable[[Pod], Loaded | str]
"""What a proxy says, or why that is not known."""


def running(plan: Plan) -> tuple[Pod, ...]:
    """The proxies that take requests now, where it is known how they are asked."""
    if plan.controller.admin_port is None:
        return ()
    pods = [pod for pod in plan.entrance.pods if pod.phase == "Running" and pod.ready]
    return tuple(sorted(pods, key=lambda pod: pod.full_name))


def asked(plan: Plan) -> tuple[Pod, ...]:
    """Those of them that are asked."""
    return running(plan)[:MOST_PROXIES]


def live_of(plan: Plan, cluster: Cluster, said: Said) -> Live:
    """What the proxies say of a request."""
    pods = running(plan)
    more = len(pods) - MOST_PROXIES
    notes = (f"{MOST_PROXIES} of {len(pods)} proxies were asked what they have loaded",) if more > 0 else ()
    return Live(views=tuple(_view(plan, cluster, pod, said(pod)) for pod in asked(plan)), notes=notes)


def _view(plan: Plan, cluster: Cluster, pod: Pod, said: Loaded | str) -> View:
    if isinstance(said, str):
        unseen = f"what it has loaded is not known: {said}"
        return View(pod=pod.full_name, node=pod.node, unseen=unseen)
    return compare(plan, cluster, pod, said)


def settled(plan: Plan, cluster: Cluster, live: Live) -> Plan:
    """Without the doubt about a controller that does not run, where all proxies have loaded what it would tell them."""
    doubt = idle(cluster, plan.controller, plan.entrance)
    if not doubt or not live.agrees:
        return plan
    decision = plan.decision
    doubts = tuple(each for each in decision.doubts if each != doubt)
    note = f"{doubt}; for this request they have loaded what the objects say now"
    return replace(plan, decision=replace(decision, doubts=doubts, notes=(*decision.notes, note)))
