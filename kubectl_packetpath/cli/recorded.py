"""Questions to a recording."""

from dataclasses import replace
from pathlib import Path

from kubectl_packetpath.cli.answering import WishIn, tell, tell_notes
from kubectl_packetpath.cli.options import Output
from kubectl_packetpath.cluster.ask import AskError
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.ways import expand
from kubectl_packetpath.sources.bundle import Bundle


def opened(file: Path, namespace: str) -> tuple[Bundle, Cluster]:
    """A recording of a cluster, and its objects, seen from this namespace; raises AskError for one of a single node."""
    bundle = Bundle(file)
    if not bundle.cluster.nodes:
        raise AskError(
            f"{file} is the snapshot of one node, without the cluster's objects.",
            f"kubectl packetpath packet --bundle {file} --from-host --src IP --dst IP --dport 80",
        )
    return bundle, replace(bundle.cluster, namespace=namespace or bundle.cluster.namespace)


def ask(file: Path, wish_in: WishIn, namespace: str, output: Output) -> int:
    """A question about a Service, pod, node or address."""
    bundle, cluster = opened(file, namespace)
    wish = wish_in(cluster.namespace)
    expansion = expand(cluster, wish)
    if not expansion.questions:
        return tell_notes(wish, expansion, cluster, output)
    return tell(wish, expansion, cluster, bundle, output)
