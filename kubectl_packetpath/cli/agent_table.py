"""`agent status` as a plain table: node, state, image, age, and what to do."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from kubectl_packetpath.render.style import clean
from kubectl_packetpath.sources.installation import NAMESPACE, AgentPod, Status

HEAD = ("NODE", "STATE", "IMAGE", "AGE", "WHAT TO DO")
MOST_REASON = 60


def table(status: Status, nodes: Iterable[str], now: datetime) -> Iterator[str]:
    """A line for each node, those without an agent too."""
    pods: dict[str, AgentPod] = {}
    for pod in status.pods:
        if pod.node and (pod.node not in pods or pod.ready):
            pods[pod.node] = pod
    waiting = [pod for pod in status.pods if not pod.node]
    rows = [HEAD, *(_row(name, pods.get(name), now) for name in sorted({*pods, *nodes}))]
    rows += [_row("(no node)", pod, now) for pod in waiting]
    yield from _aligned(rows)


def _row(node: str, pod: AgentPod | None, now: datetime) -> tuple[str, ...]:
    if pod is None:
        what = f"kubectl describe node {node}; kubectl -n {NAMESPACE} describe daemonset"
        return node, "no agent", "-", "-", what
    image = clean(pod.image) or "-"
    if pod.ready:
        return node, "ready", image, _age(pod.created, now), "-"
    if not pod.current:
        return node, "old image", image, _age(pod.created, now), "kubectl packetpath agent install"
    state = clean(pod.reason)[:MOST_REASON] or "not ready"
    return node, state, image, _age(pod.created, now), f"kubectl -n {NAMESPACE} describe pod {pod.name}"


def _age(created: str, now: datetime) -> str:
    """`5s`, `3m`, `2h`, `4d`, as kubectl has it."""
    try:
        seconds = int((now - datetime.fromisoformat(created)).total_seconds())
    except ValueError:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "   ".join(cells).rstrip()
