"""What a user may type for an HTTP request: a URL, or an object that routes requests."""

import re
from dataclasses import dataclass

from kubectl_packetpath.cluster.ask import AskError, Target
from kubectl_packetpath.cluster.http.request import PORTS

KINDS = {
    "ing": "Ingress",
    "ingress": "Ingress",
    "ingresses": "Ingress",
    "gtw": "Gateway",
    "gateway": "Gateway",
    "gateways": "Gateway",
    "httproute": "HTTPRoute",
    "httproutes": "HTTPRoute",
    "grpcroute": "GRPCRoute",
    "grpcroutes": "GRPCRoute",
    "tlsroute": "TLSRoute",
    "tlsroutes": "TLSRoute",
    "tcproute": "TCPRoute",
    "tcproutes": "TCPRoute",
    "udproute": "UDPRoute",
    "udproutes": "UDPRoute",
}
URL = re.compile(rf"({'|'.join(PORTS)})://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the user says of the request itself; empty: as the object or the URL has it."""

    host: str = ""
    path: str = ""
    method: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def is_one_request(self) -> bool:
        """Whether host or path are said, so that just this request is meant."""
        return bool(self.host or self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpWish:
    """A question about HTTP requests."""

    url: str = ""
    kind: str = ""
    """Of the object, where it is no URL."""
    namespace: str = ""
    name: str = ""
    overrides: Overrides = Overrides()
    start: Target | None = None
    nodes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """As it could be typed."""
        return self.url or f"{self.kind.lower()}/{self.name}"


def is_about_http(text: str) -> bool:
    """Whether a target is for this module to read."""
    return bool(URL.match(text)) or text.partition("/")[0].lower() in KINDS


def parse_http_target(text: str, namespace: str, overrides: Overrides) -> HttpWish:
    """`https://shop.example.com/cart`, `ingress/shop`, `gateway/edge` or `httproute/shop`."""
    _check_path(overrides.path)
    if URL.match(text):
        return HttpWish(url=text, namespace=namespace, overrides=overrides)
    kind, _, name = text.partition("/")
    if not name:
        raise AskError(
            f"{text} needs a name.", f"kubectl packetpath {kind}/NAME; kubectl get {kind} lists them"
        )
    if "/" in name:
        namespace, _, name = name.partition("/")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
        raise AskError(
            f"{name!r} is not a name that Kubernetes allows.",
            "for example ingress/shop, gateway/edge, httproute/shop or https://shop.example.com/cart",
        )
    return HttpWish(kind=KINDS[kind.lower()], namespace=namespace, name=name, overrides=overrides)


def _check_path(path: str) -> None:
    if path and not path.startswith("/"):
        raise AskError(f"{path!r} is no path: it begins with a slash.", f"--path /{path}")
    if "?" in path:
        raise AskError(f"{path!r} is more than a path.", f"kubectl packetpath https://shop.example.com{path}")


def parse_header(text: str) -> tuple[str, str]:
    """`Name: value`, as curl takes it."""
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+", name.strip()):
        raise AskError(f"{text!r} is no header.", "--header 'Name: value'")
    return name.strip(), value.strip()
