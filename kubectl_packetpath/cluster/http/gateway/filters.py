"""What filters do to a request: where it is redirected, how it is rewritten, who else gets a copy.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#httproutefilter
"""

from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

from kubectl_packetpath.cluster.http.gateway.model import Filter, PathChange
from kubectl_packetpath.cluster.http.request import PORTS, HttpRequest

FOUND = 302


def changed_path(path: str, change: PathChange, prefix: str) -> str:
    """The path after a redirect or rewrite."""
    if change.type == "ReplaceFullPath":
        return change.value or "/"
    rest = path[len(prefix.rstrip("/")) :]
    return change.value.rstrip("/") + rest or "/"


def redirection(found: Filter, request: HttpRequest, listener_port: int, prefix: str) -> tuple[int, str]:
    """The status and the Location of a redirect."""
    scheme = found.scheme or request.scheme
    host = found.hostname or request.host
    port = found.port or (PORTS.get(scheme, listener_port) if found.scheme else listener_port)
    path = changed_path(request.path, found.path, prefix) if found.path is not None else request.path
    shown = f"[{host}]" if ":" in host else host
    place = "" if PORTS.get(scheme) == port else f":{port}"
    query = f"?{urlencode(request.query)}" if request.query else ""
    return found.status or FOUND, f"{scheme}://{shown}{place}{path}{query}"


def redirect_of(filters: Iterable[Filter]) -> Filter | None:
    """The redirect among filters."""
    return next((each for each in filters if each.type == "RequestRedirect"), None)


def changes(filters: Iterable[Filter], request: HttpRequest, prefix: str) -> Iterator[str]:
    """What happens to the request besides, for people."""
    for each in filters:
        if each.type == "URLRewrite":
            if each.hostname:
                yield f"the host becomes {each.hostname}"
            if each.path is not None:
                yield f"the path becomes {changed_path(request.path, each.path, prefix)}"
        elif each.type == "RequestMirror":
            share = f"{each.percent} of the requests" if each.percent else "each request"
            yield f"a copy of {share} goes to {each.mirror}, and its answer to nobody"
        elif each.words:
            yield each.words


def unknown_filters(filters: Iterable[Filter]) -> tuple[str, ...]:
    """Filters whose effect only the implementation knows."""
    return tuple(each.words for each in filters if each.type == "ExtensionRef")
