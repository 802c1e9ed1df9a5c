"""How a controller fills what the Ingress specification leaves open.

The specification lets implementations choose what an ImplementationSpecific path is, who wins when two Ingresses
claim the same path, and whether a host without a matching path falls through to a wider rule.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from dataclasses import dataclass
from enum import StrEnum


class PathManner(StrEnum):
    """How a path is compared with that of a request."""

    EXACT = "exactly"
    PREFIX = "by elements"
    STRING = "by the beginning of its text"
    REGEX = "as a regular expression"
    ANCHORED = "as a regular expression from its beginning"
    LOOSE = "as a regular expression from its beginning, whatever the case"
    UNLESS_PLAIN = "as a regular expression if it looks like one, else by the beginning of its text"
    STAR = "with * for any text"
    UNKNOWN = "as the controller likes"


class Conflict(StrEnum):
    """Who wins when two Ingresses claim one host and path."""

    OLDEST = "the oldest Ingress wins"
    UNDEFINED = "which one wins is not defined"


class Fallback(StrEnum):
    """Where a request goes whose host is known, and whose path is not."""

    DEFAULT_BACKEND = "default backend"
    NOT_FOUND = "404"
    WIDER_HOSTS = "wider hosts"
    """Rules of a wildcard host, then those for all hosts, are tried."""


class MissingService(StrEnum):
    """What a rule does whose Service does not exist."""

    UNAVAILABLE = "503"
    SKIPPED = "skipped"
    """The rule is as if it was not written, so another one may take the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """The choices of one controller."""

    own_paths: PathManner = PathManner.UNKNOWN
    """For the type ImplementationSpecific."""
    prefixes: PathManner = PathManner.PREFIX
    """For the type Prefix: some controllers do not keep to the specification."""
    conflict: Conflict = Conflict.UNDEFINED
    fallback: Fallback = Fallback.DEFAULT_BACKEND
    missing_service: MissingService = MissingService.UNAVAILABLE
    default_by_host: bool = False
    """A default backend beside rules serves only the hosts of these rules."""
    hosts_cover_wildcards: bool = False
    """A wildcard host that does not cover a host of more labels still keeps it from rules for all hosts."""


SPECIFIED = Manner()
"""What the specification says, and nothing more."""
