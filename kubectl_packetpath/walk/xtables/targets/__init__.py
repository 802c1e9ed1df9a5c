"""Targets, by the kernel's name."""

from kubectl_packetpath.walk.xtables.extension import AnyTarget
from kubectl_packetpath.walk.xtables.targets import (
    audit,
    checksum,
    classify,
    connmark,
    ct,
    dnat,
    dscp,
    ecn,
    hl,
    log,
    mark,
    masquerade,
    netmap,
    nflog,
    nfqueue,
    notrack,
    redirect,
    reject,
    set,  # noqa: A004 - the kernel's name
    snat,
    tcpmss,
    tcpoptstrip,
    tee,
    tos,
    tproxy,
    trace,
    ttl,
)

TARGETS: tuple[AnyTarget, ...] = (
    audit.TARGET,
    checksum.TARGET,
    classify.TARGET,
    connmark.TARGET,
    ct.TARGET,
    dnat.TARGET,
    dscp.TARGET,
    ecn.TARGET,
    hl.TARGET,
    log.TARGET,
    mark.TARGET,
    masquerade.TARGET,
    netmap.TARGET,
    nflog.TARGET,
    nfqueue.TARGET,
    notrack.TARGET,
    redirect.TARGET,
    reject.TARGET,
    set.TARGET,
    snat.TARGET,
    tcpmss.TARGET,
    tcpoptstrip.TARGET,
    tee.TARGET,
    tos.TARGET,
    tproxy.TARGET,
    trace.TARGET,
    ttl.TARGET,
)
_FOUND = {(target.name, revision): target for target in TARGETS for revision in target.revisions}


def find_target(name: str, revision: int, family: int = 4) -> AnyTarget | None:
    """The file that knows this target; None: it is not modelled."""
    del family  # no two families share a name for different bytes
    return _FOUND.get((name, revision))
