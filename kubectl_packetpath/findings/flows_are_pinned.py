"""Existing connections still go where no endpoint is.

A connection keeps its translation for as long as its entry lives, and each packet keeps the entry alive: a UDP client that
never rests (DNS, syslog, VoIP) talks to a dead pod for hours, or to the Service's own address, if it began before the rules
were there. New connections are well. kube-proxy clears such entries away, but not in every case, and not while it hangs.

Kubernetes: pkg/proxy/conntrack/cleanup.go
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.flows import Existing, Standing
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.packet import PROTOCOL_NAMES, endpoint
from kubectl_packetpath.trace import Fact

PROBLEM = Problem(
    code="PP402",
    id="flows-are-pinned",
    title="Existing connections still go where no endpoint is.",
)
WORDS = {
    Standing.GONE: "no endpoint any more",
    Standing.NOT_READY: "an endpoint that is not ready",
    Standing.UNTRANSLATED: "untranslated: they began while the node had no rule for it",
}


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """Entries of the connection table for this address and port whose answers come from no endpoint."""
    for each in way.flows:
        if not each.is_pinned or (each.standing is Standing.UNTRANSLATED and not way.question.expected):
            continue
        yield PROBLEM.found(
            way.question.subject,
            _message(each),
            node=each.node,
            namespace="host",
            evidence=tuple(
                Fact(section="conntrack", key=f"{each.node} {number}", text=text)
                for number, text in enumerate(each.samples, 1)
            ),
            remedy=(each.clearing,),
        )


def _message(each: Existing) -> str:
    name = PROTOCOL_NAMES[each.protocol]
    entries = "entry" if each.count == 1 else "entries"
    go = "goes" if each.count == 1 else "go"
    where = f"{endpoint(each.destination, each.port)}/{name}"
    now = f", where {each.pod} is now" if each.pod and each.standing is Standing.GONE else ""
    return (
        f"existing flows to {where}: {each.count} {entries} on {each.node} still {go} to {each.where_to} "
        f"({WORDS[each.standing]}{now})"
    )


CHECK = PROBLEM.check(look)
