"""From a question to an answer on the screen, whatever supplies the nodes' state."""

from collections.abc import Callable

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import FAMILY_EXITS, Exit, fail, say, write
from kubectl_packetpath.cli.options import Output
from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.question import Expansion, Wish
from kubectl_packetpath.render import FORMATS
from kubectl_packetpath.sources.asking import Supplier, answer

WishIn = Callable[[str], Wish]
"""The user's wish, read with this namespace for names without one."""


def tell(wish: Wish, expansion: Expansion, cluster: Cluster, supplier: Supplier, output: Output) -> int:
    """Find the answer, print it, and say with which code to exit."""
    return show(answer(str(wish.target), expansion, cluster, supplier), output)


def tell_notes(wish: Wish, expansion: Expansion, cluster: Cluster, output: Output) -> int:
    """What there is to say of a target that offers no way in."""
    found = Answer(
        target=str(wish.target), ways=(), cluster=cluster, service=expansion.service, notes=expansion.notes
    )
    return show(found, output)


def show(found: Answer, output: Output) -> int:
    """Print an answer; where no node could be looked at there is none, and people are told just that."""
    starts = {way.question.start.node for way in found.ways}
    blind = bool(starts) and starts <= found.nodes_missing.keys()
    if not blind or output not in {Output.TREE, Output.WIDE}:
        write(FORMATS[output.value](found, options.style()))
    for name, why in sorted(found.nodes_missing.items()):
        say(f"{name} could not be looked at: {why}")
    if blind:
        fail("No node could be looked at.", "kubectl packetpath agent status", Exit.OUT_OF_REACH)
    return FAMILY_EXITS[found.family] if found.ways else Exit.UNKNOWN
