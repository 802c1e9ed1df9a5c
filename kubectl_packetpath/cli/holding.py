"""What a recording holds, for who is handed one: of when and where it is, and what can be asked of it."""

from collections.abc import Iterator
from itertools import groupby

from kubectl_packetpath.printable import clean
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.sources.bundle import Bundle


def held(bundle: Bundle) -> Iterator[str]:
    """Line by line; what can be typed as a target stands as it is typed."""
    for name, value in bundle.about.items():
        yield f"{name.replace('_', ' '):<10} {clean(value)}"
    yield f"{'nodes':<10} {clean(' '.join(bundle.names)) or 'none'}"
    for name, why in sorted(bundle.missing.items()):
        yield f"{'missing':<10} {clean(name)}: {clean(why)}"
    yield from _targets(bundle)


def _targets(bundle: Bundle) -> Iterator[str]:
    cluster = bundle.cluster
    if not cluster.nodes:
        yield "one node's snapshot, without the cluster's objects: ask it with `kubectl packetpath packet`"
        return
    known = [(each.namespace, f"svc/{each.name}") for each in cluster.services]
    for kind, rows in (("ingress", cluster.web.ingresses), ("gateway", cluster.web.gateways)):
        known += (
            [] if isinstance(rows, Absent) else [(each.namespace, f"{kind}/{each.name}") for each in rows]
        )
    for namespace, targets in groupby(sorted(known), key=lambda each: each[0]):
        yield f"{'targets':<10} -n {clean(namespace)}  {' '.join(clean(name) for _, name in targets)}"
