"""The hosts that a route serves at a listener: what both of them name.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#httproutespec (hostnames)
"""

from kubectl_packetpath.cluster.http.hosts import WILDCARD


def intersection(listener: str, hostnames: tuple[str, ...]) -> tuple[str, ...]:
    """The hosts in common, the narrower of each pair; `*` stands for all, and nothing for none."""
    if not hostnames:
        return (listener or "*",)
    if not listener:
        return hostnames
    narrowed = (narrower(listener, each) for each in hostnames)
    return tuple(dict.fromkeys(each for each in narrowed if each is not None))


def narrower(one: str, other: str) -> str | None:
    """What two patterns have in common; None: nothing."""
    if one == other or _covers(other, one):
        return one
    return other if _covers(one, other) else None


def _covers(wide: str, narrow: str) -> bool:
    """`*.example.com` covers `foo.example.com` and `*.foo.example.com`, and not `example.com`."""
    return wide.startswith(WILDCARD) and narrow != wide and narrow.endswith(wide[1:])


def precedence(hostname: str) -> tuple[int, int]:
    """Characters of a name without wildcard first, then characters of any; greater comes first."""
    if hostname == "*":
        return (0, 0)
    return (0 if hostname.startswith(WILDCARD) else len(hostname), len(hostname))
