"""What the checks of proxies have in common: which proxy was met on a node, and how to look at it."""

from kubectl_packetpath.cluster.answer import Answered
from kubectl_packetpath.dialects import meaning
from kubectl_packetpath.trace import Path


def remedies(node: str) -> tuple[str, ...]:
    """How to look at a node's proxy, and to start it anew."""
    pods = f"-l k8s-app=kube-proxy --field-selector spec.nodeName={node}"
    return (
        f"kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={node}",
        f"kubectl -n kube-system logs --tail=50 $(kubectl -n kube-system get pods -o name {pods})",
        f"kubectl -n kube-system delete pod {pods}",
    )


def proxy_of(path: Path, node: str) -> str:
    """The proxy whose rules a path met on a node: `kube-proxy`; empty: none that is known."""
    facts = (fact for hop in path.hops if hop.node == node for step in hop.steps for fact in step.because)
    for fact in facts:
        found = meaning(fact)
        if found is not None:
            return found.program
        if "KUBE-" in fact.text or " kube-proxy/" in fact.key:
            return "kube-proxy"
    return ""


def traces_of_proxy(way: Answered, node: str) -> str:
    """Whether any of a proxy's rules were met there: flushed in part, or not there at all."""
    met = next((name for path in way.trace.paths if (name := proxy_of(path, node))), "")
    return f"; other rules of {met} are there" if met else "; no rule of kube-proxy was met there"
