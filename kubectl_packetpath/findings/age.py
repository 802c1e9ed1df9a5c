"""How long a Service's endpoints had been as they are when a node was looked at: drift may still be on its way.

A proxy takes a change in within seconds, as a rule; on big clusters, or with a long minSyncPeriod, it may be more.

Kubernetes: pkg/proxy/apis/config minSyncPeriod; SIG Scalability's network programming latency SLI, which starts at
the same annotation
"""

from datetime import datetime, timedelta

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.model import Service
from kubectl_packetpath.findings.base import Severity
from kubectl_packetpath.snapshot.recorded import RecordedNode

PATIENCE = timedelta(seconds=30)
UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def age_of(answer: Answer, service: Service, node: str) -> timedelta | None:
    """From the last change of the endpoints to the look at a node, by the clocks of two machines; None: not known."""
    changes = [part.changed for part in answer.cluster.slices_of(service) if part.changed is not None]
    state = answer.nodes.get(node)
    if not changes or not isinstance(state, RecordedNode):
        return None
    try:
        looked = datetime.fromisoformat(state.snapshot.taken_at)
    except ValueError:
        return None
    return looked - max(changes) if looked.tzinfo is not None else None


def severity_of(age: timedelta | None) -> Severity:
    """Drift that is young may be gone at the next look."""
    return Severity.SUSPICION if age is not None and age < PATIENCE else Severity.PROBLEM


def told(age: timedelta | None) -> str:
    """`; the endpoints last changed 3 hours before`, to be put behind a message."""
    if age is None:
        return ""
    seconds = max(0, int(age.total_seconds()))
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= 2 * size), (1, "seconds"))
    late = ", so this may still be on its way" if age < PATIENCE else ""
    return f"; the endpoints last changed {seconds // size} {unit} before{late}"
