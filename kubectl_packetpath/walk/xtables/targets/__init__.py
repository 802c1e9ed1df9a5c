"""Targets, by the kernel's name."""

from kubectl_packetpath.walk.xtables.extension import AnyTarget
from kubectl_packetpath.walk.xtables.targets import (
    classify,
    connmark,
    ct,
    dnat,
    log,
    mark,
    masquerade,
    netmap,
    nflog,
    nfqueue,
    notrack,
    redirect,
    reject,
    snat,
    tcpmss,
    trace,
)

TARGETS: tuple[AnyTarget, ...] = (
    classify.TARGET,
    connmark.TARGET,
    ct.TARGET,
    dnat.TARGET,
    log.TARGET,
    mark.TARGET,
    masquerade.TARGET,
    netmap.TARGET,
    nflog.TARGET,
    nfqueue.TARGET,
    notrack.TARGET,
    redirect.TARGET,
    reject.TARGET,
    snat.TARGET,
    tcpmss.TARGET,
    trace.TARGET,
)
_FOUND = {(target.name, revision): target for target in TARGETS for revision in target.revisions}


def find_target(name: str, revision: int, family: int = 4) -> AnyTarget | None:
    """The file that knows this target; None: it is not modelled."""
    del family  # no two families share a name for different bytes
    return _FOUND.get((name, revision))
