"""Matches, by the kernel's name."""

from kubectl_packetpath.walk.xtables.extension import AnyMatch
from kubectl_packetpath.walk.xtables.matches import (
    addrtype,
    comment,
    connmark,
    conntrack,
    icmp,
    icmp6,
    mark,
    multiport,
    nfacct,
    physdev,
    recent,
    statistic,
    tcp,
    udp,
)

MATCHES: tuple[AnyMatch, ...] = (
    addrtype.MATCH,
    comment.MATCH,
    connmark.MATCH,
    conntrack.MATCH,
    icmp.MATCH,
    icmp6.MATCH,
    mark.MATCH,
    multiport.MATCH,
    nfacct.MATCH,
    physdev.MATCH,
    recent.MATCH,
    statistic.MATCH,
    tcp.MATCH,
    udp.MATCH,
)
_FOUND = {(match.name, revision): match for match in MATCHES for revision in match.revisions}


def find_match(name: str, revision: int, family: int = 4) -> AnyMatch | None:
    """The file that knows this match; None: it is not modelled."""
    del family  # no two families share a name for different bytes
    return _FOUND.get((name, revision))
