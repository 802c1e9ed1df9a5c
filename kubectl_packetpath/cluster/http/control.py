"""Whether the program that configures the proxies runs: without it they go on with what they were told last.

Only where it runs apart from the proxies, and its documentation says by which labels it is found.
"""

from kubectl_packetpath.cluster.http.controllers.base import Controller
from kubectl_packetpath.cluster.http.entrance import Entrance
from kubectl_packetpath.cluster.model import Cluster


def idle(cluster: Cluster, controller: Controller, entrance: Entrance) -> str:
    """Why the proxies may not know the objects as they are now; empty: nothing is known against it."""
    homes = {pod.namespace for pod in entrance.pods}
    marks = set(controller.control)
    pods = [pod for pod in cluster.pods if pod.namespace in homes and marks & set(pod.labels)]
    if any(pod.ready for pod in pods):
        return ""
    if pods:
        names = ", ".join(pod.full_name for pod in pods)
        return _words(controller, f"{names} is not ready" if len(pods) == 1 else f"none of {names} is ready")
    for service in cluster.services:
        if service.namespace in homes and marks & set(service.selector):
            endpoints = [each for part in cluster.slices_of(service) for each in part.endpoints]
            if not any(each.ready for each in endpoints):
                return _words(controller, f"Service {service.full_name} has no pod that is ready")
    return ""


def _words(controller: Controller, why: str) -> str:
    return (
        f"{controller.product} does not run ({why}): its proxies do what they were told last, and what changed since "
        "then they do not know"
    )
