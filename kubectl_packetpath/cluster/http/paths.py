"""Whether the path of a rule matches the path of a request.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types
"""

import re

from kubectl_packetpath.cluster.http.manner import PathManner

LOOKS_SO = "^+*[]%"
"""Letters by which Contour knows an expression."""
LONGEST = 500
NESTED = re.compile(r"[+*}]\)*[)][+*{]")
"""A repeated group that ends with a repeat."""


def is_element_prefix(prefix: str, path: str) -> bool:
    """`/foo` holds for `/foo`, `/foo/` and `/foo/bar`, and not for `/foobar`."""
    stripped = prefix.rstrip("/")
    return path == stripped or path.startswith(f"{stripped}/") or not stripped


def path_matches(manner: PathManner, pattern: str, path: str) -> bool | None:
    """Whether it matches; None: that cannot be said from here."""
    match manner:
        case PathManner.EXACT:
            return pattern == path
        case PathManner.PREFIX:
            return is_element_prefix(pattern or "/", path)
        case PathManner.STRING:
            return path.startswith(pattern or "/")
        case PathManner.STAR:
            return expression_matches(_of_stars(pattern), path)
        case PathManner.REGEX:
            return expression_matches(pattern, path)
        case PathManner.LOOSE:
            return expression_matches(f"(?i:{pattern}).*", path)
        case PathManner.UNLESS_PLAIN:
            if set(pattern) & set(LOOKS_SO):
                return expression_matches(pattern, path)
            return path.startswith(pattern or "/")
        case PathManner.ANCHORED:
            return expression_matches(f"(?:{pattern}).*", path)
        case _:
            return None


def _of_stars(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def expression_matches(pattern: str, text: str) -> bool | None:
    """Whether an expression matches the whole text; None for one that is not understood.

    Proxies use RE2, which takes linear time; repeats of repeats could take this one for ever, so they are not tried.
    """
    if len(pattern) > LONGEST or NESTED.search(pattern):
        return None
    try:
        return re.fullmatch(pattern, text, re.DOTALL) is not None
    except (re.error, RecursionError, OverflowError):
        return None
