"""Whether a rule's host covers the host of a request, and which of several is nearest.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards
"""

WILDCARD = "*."


def covers_one_label(pattern: str, host: str) -> bool:
    """As Ingress says: exact, or `*.` for just one label; empty covers all."""
    pattern = pattern.lower().rstrip(".")
    if not pattern or pattern == "*":
        return True
    if pattern.startswith(WILDCARD):
        label, dot, rest = host.partition(".")
        return bool(label and dot) and rest == pattern.removeprefix(WILDCARD)
    return pattern == host


def covers_any_labels(pattern: str, host: str) -> bool:
    """As Gateway API says: exact, or `*.` for one label or more; empty covers all."""
    pattern = pattern.lower().rstrip(".")
    if not pattern or pattern == "*":
        return True
    if pattern.startswith(WILDCARD):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return pattern == host


def nearness(pattern: str) -> tuple[int, int]:
    """Sorts hosts: exact before wildcard, longer before shorter, none last."""
    if not pattern or pattern == "*":
        return (0, 0)
    return (1 if pattern.startswith(WILDCARD) else 2, len(pattern))
