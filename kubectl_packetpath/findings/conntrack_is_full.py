"""The connection table of a node is full, or nearly so.

A full table drops the first packet of every new connection that cannot push an older one out: failures come and go with
the load.

Kernel: net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc, early_drop
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.trace import Fact

PROBLEM = Problem(
    code="PP401",
    id="conntrack-is-full",
    title="The connection table of a node is full, or nearly so.",
)
FULL, NEARLY = 0.99, 0.9


def look_at_all(answer: Answer) -> Iterator[Finding]:
    """Entries beside the most that there may be."""
    for name, node in sorted(answer.nodes.items()):
        table = node.snapshot.host.conntrack if isinstance(node, RecordedNode) else None
        if table is None or isinstance(table, Absent) or not table.maximum:
            continue
        share = table.count / table.maximum
        if share < NEARLY:
            continue
        drops = sum(each.drop + each.early_drop for each in table.statistics)
        dropped = f"; {drops} packets or entries were dropped for it" if drops else ""
        yield PROBLEM.found(
            name,
            f"{name} tracks {table.count} connections of at most {table.maximum} ({share:.0%}){dropped}",
            severity=Severity.PROBLEM if share >= FULL else Severity.SUSPICION,
            node=name,
            namespace="host",
            evidence=(
                Fact(
                    section="conntrack",
                    key=f"{name} count",
                    text=f"net.netfilter.nf_conntrack_count = {table.count}, nf_conntrack_max = {table.maximum}",
                ),
            ),
            remedy=(
                f"sysctl -w net.netfilter.nf_conntrack_max={table.maximum * 2}",
                "conntrack -S",
                "kube-proxy's --conntrack-max-per-core sets it at every start",
            ),
        )


CHECK = PROBLEM.check(look_at_all=look_at_all)
