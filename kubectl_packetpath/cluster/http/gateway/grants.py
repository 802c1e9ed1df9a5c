"""Whether a reference into another namespace is allowed.

The namespace that is referred to has to say so, with a ReferenceGrant: else a route could send traffic to, and a
Gateway could show the certificate of, anybody's Service or Secret.

Kubernetes: https://gateway-api.sigs.k8s.io/api-types/referencegrant/
"""

from collections.abc import Iterable

from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.gateway.model import Grant


def is_granted(source: Reference, target: Reference, grants: Iterable[Grant]) -> bool:
    """Whether `source` may refer to `target`."""
    if source.namespace == target.namespace:
        return True
    return any(
        grant.namespace == target.namespace and _names_source(grant, source) and _names_target(grant, target)
        for grant in grants
    )


def _names_source(grant: Grant, source: Reference) -> bool:
    wanted = (source.group, source.kind, source.namespace)
    return any((each.group, each.kind, each.namespace) == wanted for each in grant.sources)


def _names_target(grant: Grant, target: Reference) -> bool:
    return any(
        (each.group, each.kind) == (target.group, target.kind) and each.name in {"", target.name}
        for each in grant.targets
    )


def why_not_granted(source: Reference, target: Reference) -> str:
    """One sentence."""
    return (
        f"{source} may not refer to {target}: no ReferenceGrant in namespace {target.namespace} allows "
        f"{source.kind} of namespace {source.namespace} to refer to {target.kind} {target.name}"
    )
