"""An HTTP request, as far as routing looks at it.

Kubernetes: RFC 9110 (host, method), RFC 3986 (path and query), RFC 6066 (the server name that TLS carries)
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443, "tls": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What a client asks of a proxy."""

    scheme: str = "http"
    host: str = ""
    """The Host header (`:authority`) in lower case, without its port; empty: none was sent."""
    path: str = "/"
    """As sent, without the query."""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case; several lines of one name are joined by commas, as proxies do."""
    query: tuple[tuple[str, str], ...] = ()
    port: int = 80
    """Of the address that the client connects to."""
    server_name: str | None = None
    """What TLS carries in the clear (SNI), where it is not the host; None: the same as the host."""

    @property
    def is_tls(self) -> bool:
        """Whether the client speaks TLS."""
        return self.scheme in {"https", "grpcs", "tls"}

    @property
    def sni(self) -> str:
        """The server name of the TLS handshake; clients send none for a bare address."""
        name = self.host if self.server_name is None else self.server_name
        return "" if is_address(name) else name

    @property
    def url(self) -> str:
        """As a person writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        port = "" if PORTS.get(self.scheme) == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    def header(self, name: str) -> str | None:
        """A header's value, its lines joined; None: not sent."""
        found = [value for key, value in self.headers if key == name.lower()]
        return ",".join(found) if found else None

    def parameter(self, name: str) -> str | None:
        """The first query parameter of that name; None: there is none."""
        return next((value for key, value in self.query if key == name), None)


def request_of(
    url: str, *, method: str = "GET", headers: tuple[tuple[str, str], ...] = (), host: str = ""
) -> HttpRequest:
    """A request for a URL.

    `host` replaces the URL's own everywhere; a `Host` among the headers leaves TLS the server name of the URL.
    """
    given = urlsplit(url if "://" in url else f"http://{url}")
    scheme = given.scheme.lower()
    if scheme not in PORTS or given.hostname is None:
        raise ValueError(f"{url} is not a URL such as https://shop.example.com/cart")
    named = {name.lower(): value for name, value in headers}
    shown = host or named.get("host") or given.hostname
    return HttpRequest(
        scheme=scheme,
        host=bare_host(shown),
        path=given.path or "/",
        method=method.upper(),
        headers=tuple((name.lower(), value) for name, value in headers if name.lower() != "host"),
        query=tuple(parse_qsl(given.query, keep_blank_values=True)),
        port=given.port or PORTS[scheme],
        server_name=bare_host(given.hostname) if "host" in named and not host else None,
    )


def bare_host(text: str) -> str:
    """A host in lower case, without port, brackets and final dot."""
    text = text.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    if text.count(":") == 1:
        text = text.partition(":")[0]
    return text.rstrip(".")


def is_address(text: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
