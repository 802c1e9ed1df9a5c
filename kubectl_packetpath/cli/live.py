"""Questions to a live cluster: its API, and the agents on its nodes."""

from kubectl_packetpath.cli.answering import WishIn, tell, tell_notes
from kubectl_packetpath.cli.install import Permission, ready_agents
from kubectl_packetpath.cli.options import Output
from kubectl_packetpath.cluster.ways import expand
from kubectl_packetpath.sources.api import Access, Api
from kubectl_packetpath.sources.apiserver import read_for


def ask(access: Access, wish_in: WishIn, output: Output, permission: Permission) -> int:
    """A question about a Service, pod, node or address."""
    api = Api.connect(access)
    wish = wish_in(api.namespace)
    cluster = read_for(api, wish.target, wish.start)
    expansion = expand(cluster, wish)
    if not expansion.questions:
        return tell_notes(wish, expansion, cluster, output)
    with ready_agents(api, permission) as agents:
        return tell(wish, expansion, cluster, agents, output)


__all__ = ["Permission", "ask"]
