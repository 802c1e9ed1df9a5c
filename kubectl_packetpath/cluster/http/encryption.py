"""Where a request is encrypted, and where not: one boundary after the other, from the client to the backend.

TLS ends at the proxy, passes through it, or starts again behind it; and between nodes a tunnel may encrypt whatever it
carries. Each boundary says by what it is known.

Kubernetes: https://gateway-api.sigs.k8s.io/guides/tls/
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.http.decision import Result
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.trace import Path, Step, StepKind

WITH_TLS = {"HTTPS", "GRPCS", "TLS", "SSL", "H2"}
WITHOUT_TLS = {"", "HTTP", "HTTP1", "GRPC", "H2C", "WS", "FCGI", "AUTO_HTTP", "HTTP2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """A part of the way, and whether it is encrypted."""

    start: str
    end: str
    encrypted: bool | None
    """None: not known."""
    how: str

    def __str__(self) -> str:
        """`client → Contour: TLS, which ends there`."""
        return f"{self.start} → {self.end}: {self.how}"


def boundaries(plan: Plan) -> tuple[Boundary, ...]:
    """What the objects say; empty where the proxy does not take the connection."""
    if plan.decision.result is Result.REFUSED:
        return ()
    return tuple(_boundaries(plan))


def _boundaries(plan: Plan) -> Iterator[Boundary]:
    proxy = plan.controller.product
    if plan.request.is_tls and plan.settings.passthrough:
        how = f"TLS, which {proxy} passes through: only the backend ends it"
        yield Boundary(start="client", end="backend", encrypted=True, how=how)
        return
    if plan.request.is_tls:
        yield Boundary(start="client", end=proxy, encrypted=True, how="TLS, which ends there")
    else:
        yield Boundary(start="client", end=proxy, encrypted=False, how="plain HTTP")
    if plan.decision.result is Result.FORWARDED:
        yield _onward(plan, proxy)


def _onward(plan: Plan, proxy: str) -> Boundary:
    spoken = plan.settings.backend_protocol.upper()
    if spoken in WITH_TLS:
        how = "TLS again, a session of its own"
        return Boundary(start=proxy, end="backend", encrypted=True, how=how)
    if plan.gateway is not None:
        how = "plain, unless a BackendTLSPolicy says otherwise: those are not read"
        return Boundary(start=proxy, end="backend", encrypted=None, how=how)
    if spoken in WITHOUT_TLS:
        how = "plain HTTP" if spoken in {"", "HTTP", "HTTP1"} else f"{spoken} without TLS"
        return Boundary(start=proxy, end="backend", encrypted=False, how=how)
    how = f"{spoken}: whether that has TLS is not known here"
    return Boundary(start=proxy, end="backend", encrypted=None, how=how)


def between_nodes(answers: Iterable[Answer]) -> Boundary | None:
    """What the nodes' kernels do to packets that leave a node for another one; None where none does."""
    crossing = [
        path for answer in answers for way in answer.ways for path in way.trace.paths if _crosses(path)
    ]
    if not crossing:
        return None
    kept = [path for path in crossing if any(step.kind is StepKind.ENCRYPTED for step in _steps(path))]
    said = sorted(step.text for path in kept for step in _steps(path) if step.kind is StepKind.ENCRYPTED)
    if len(kept) == len(crossing):
        how = f"encrypted by the kernel: {said[0].partition(':')[0]}"
        return Boundary(start="node", end="other node", encrypted=True, how=how)
    if kept:
        how = f"encrypted by the kernel on {len(kept)} of {len(crossing)} paths"
        return Boundary(start="node", end="other node", encrypted=None, how=how)
    how = "the kernels add no encryption: whoever listens there reads what is plain"
    return Boundary(start="node", end="other node", encrypted=False, how=how)


def _crosses(path: Path) -> bool:
    return len({hop.node for hop in path.hops}) > 1


def _steps(path: Path) -> Iterator[Step]:
    for hop in path.hops:
        yield from hop.steps
