"""The Kubernetes API: plain requests, and the streams of `exec` and of forwarded ports.

The configuration, with contexts, client certificates and credential plugins, is the kubernetes client's work.
The requests are our own, for its models take longer to load than a question takes to answer; nor is it
loaded at all for a recording.

Kubernetes: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import json
import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import websocket

from kubectl_packetpath.sources.trouble import UnreachableError

PAGE = 500
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
FIELD_MANAGER = "kubectl-packetpath"
CHANNEL_PROTOCOL = "v4.channel.k8s.io"
"""Of websockets whose messages begin with the number of their channel."""
CONNECTION = re.compile(r"^HTTPS?Connection(Pool)?\([^)]*\): ")
"""How the library that connects introduces its reasons; which server it is has been said."""
SERVICE_ACCOUNT_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which cluster, and as whom: what kubectl's options say."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    timeout_seconds: float = 20.0
    as_user: str = ""
    as_groups: tuple[str, ...] = ()


class ApiError(UnreachableError):
    """The API server refused a request."""

    def __init__(self, status: int, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A connection to one API server."""

    access: Access
    configuration: Any
    context: str
    namespace: str
    pool: Any = field(repr=False)

    @classmethod
    def connect(cls, access: Access) -> "Api":
        """Read the kubeconfig as kubectl does; nothing is sent yet."""
        from kubernetes import client  # noqa: PLC0415 - brings the kubernetes client
        from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415 - brings the kubernetes client
        from yaml import YAMLError  # noqa: PLC0415 - the kubernetes client's

        configuration = client.Configuration()
        try:
            context, namespace = _load(access, configuration)
        except (ConfigException, OSError) as error:
            raise UnreachableError(
                f"No usable kubeconfig: {_first_line(error)}", "kubectl config get-contexts"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, YAMLError) as error:
            raise UnreachableError(
                f"No usable kubeconfig: {_files(access)} is damaged, or no kubeconfig ({_first_line(error)})",
                "kubectl config view",
            ) from error
        configuration.retries = urllib3.Retry(total=1, backoff_factor=0.2)
        pool = client.ApiClient(configuration).rest_client.pool_manager
        return cls(
            access=access,
            configuration=configuration,
            context=context,
            namespace=access.namespace or namespace or "default",
            pool=pool,
        )

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """One object."""
        return self.request("GET", path, query)

    def list(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """All objects of a kind, page by page."""
        query = {"limit": str(PAGE)} | query
        while True:
            page = self.request("GET", path, query)
            yield from page.get("items") or ()
            onward = (page.get("metadata") or {}).get("continue")
            if not onward:
                return
            query = query | {"continue": onward}

    def apply(self, path: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self.request("PATCH", path, query, manifest)

    def delete(self, path: str) -> None:
        """Remove an object, and what it owns."""
        self.request("DELETE", path, {"propagationPolicy": "Background"})

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Ask, and say clearly what was refused."""
        url = f"{self.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": accept} | dict(self._identity())
        content = None
        if body is not None:
            headers["Content-Type"] = "application/apply-patch+yaml"
            content = json.dumps(body)
        try:
            answer = self.pool.request(
                method, url, headers=headers, body=content, timeout=self.access.timeout_seconds
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        if answer.status >= 400:
            raise self._refusal(answer.status, f"{method} {path}", answer.data)
        try:
            data: dict[str, Any] = json.loads(answer.data or b"{}")
        except ValueError as error:
            raise self._not_kubernetes() from error
        if not isinstance(data, dict):
            raise self._not_kubernetes()
        return data

    def open_exec(
        self, namespace: str, pod: str, command: tuple[str, ...], timeout_seconds: float
    ) -> websocket.WebSocket:
        """Run a program in a pod; its streams are the channels of a websocket."""
        query = [("command", word) for word in command]
        query += [(stream, "true") for stream in ("stdin", "stdout", "stderr")]
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        return self._open(f"exec into {namespace}/{pod}", path, query, timeout_seconds)

    def open_forward(
        self, namespace: str, pod: str, port: int, timeout_seconds: float
    ) -> websocket.WebSocket:
        """A connection to a port of a pod, on its loopback; its bytes are channel 0 of a websocket, its errors 1."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        what = f"forwarding port {port} of {namespace}/{pod}"
        return self._open(what, path, [("ports", str(port))], timeout_seconds)

    def _open(
        self, what: str, path: str, query: Sequence[tuple[str, str]], timeout_seconds: float
    ) -> websocket.WebSocket:
        from kubernetes.stream.ws_client import get_websocket_url, websocket_proxycare  # noqa: PLC0415 - brings the kubernetes client

        url = get_websocket_url(f"{self.configuration.host}{path}", query)
        headers = [f"{name}: {value}" for name, value in self._identity()]
        options = websocket_proxycare(
            {"header": [*headers, f"Sec-WebSocket-Protocol: {CHANNEL_PROTOCOL}"]},
            self.configuration,
            url,
            None,
        )
        socket = websocket.WebSocket(sslopt=self._tls(), skip_utf8_validation=True)
        socket.settimeout(timeout_seconds)
        try:
            socket.connect(url, **options)
        except websocket.WebSocketBadStatusException as error:
            raise self._refusal(error.status_code, f"{what} failed", error.resp_body or b"") from error
        except (websocket.WebSocketException, OSError) as error:
            raise UnreachableError(f"{what} failed: {_first_line(error)}") from error
        return socket

    def _identity(self) -> Iterator[tuple[str, str]]:
        for setting in self.configuration.auth_settings().values():
            if setting.get("in") == "header" and setting.get("value"):
                yield setting["key"], setting["value"]
        if self.access.as_user:
            yield "Impersonate-User", self.access.as_user
        for group in self.access.as_groups:
            yield "Impersonate-Group", group

    def _tls(self) -> dict[str, Any]:
        settings = self.configuration
        options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
        if settings.verify_ssl:
            options = {"cert_reqs": ssl.CERT_REQUIRED}
            if settings.ssl_ca_cert:
                options["ca_certs"] = settings.ssl_ca_cert
            if settings.assert_hostname is not None:
                options["check_hostname"] = settings.assert_hostname
        if settings.cert_file:
            options |= {"certfile": settings.cert_file, "keyfile": settings.key_file}
        if getattr(settings, "tls_server_name", None):
            options["server_hostname"] = settings.tls_server_name
        return options

    def _not_kubernetes(self) -> UnreachableError:
        return UnreachableError(f"{self.configuration.host} does not answer like Kubernetes.", self._look())

    def _look(self) -> str:
        return "kubectl cluster-info" + (f" --context {self.context}" if self.context else "")

    def _unreachable(self, error: Exception) -> UnreachableError:
        reason = getattr(error, "reason", None) or error
        text = CONNECTION.sub("", _first_line(reason))
        return UnreachableError(
            f"The API server {self.configuration.host} is out of reach: {text}", self._look()
        )

    def _refusal(self, status: int, what: str, body: bytes) -> ApiError:
        said = _message(body) or f"status {status}"
        if status == UNAUTHORIZED:
            return ApiError(
                status, f"The API server does not accept these credentials: {said}", "kubectl auth whoami"
            )
        if status == FORBIDDEN:
            remedy = "docs/permissions.md lists the rights that are needed; kubectl auth can-i --list"
            return ApiError(status, f"Not allowed: {said}", remedy)
        return ApiError(status, f"{what}: {said}")


def _load(access: Access, configuration: Any) -> tuple[str, str]:
    """The context's name and namespace; fills the configuration."""
    from kubernetes import config  # noqa: PLC0415 - brings the kubernetes client
    from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415 - brings the kubernetes client

    given = access.kubeconfig or os.environ.get("KUBECONFIG", "")
    if not given and not _default_exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=configuration)
        own = Path(SERVICE_ACCOUNT_NAMESPACE)
        return "in-cluster", own.read_text().strip() if own.exists() else ""
    if not any(Path(each).expanduser().is_file() for each in _files(access).split(os.pathsep) if each):
        raise ConfigException(
            f"there is no file {_files(access)} (--kubeconfig, $KUBECONFIG or ~/.kube/config)"
        )
    contexts, current = config.list_kube_config_contexts(config_file=access.kubeconfig or None)
    wanted = access.context or current["name"]
    chosen = next((each for each in contexts if each["name"] == wanted), None)
    if chosen is None:
        names = ", ".join(each["name"] for each in contexts)
        raise ConfigException(f"there is no context {wanted} (there are: {names})")
    config.load_kube_config(
        config_file=access.kubeconfig or None,
        context=wanted,
        client_configuration=configuration,
        persist_config=False,
    )
    return wanted, str(chosen["context"].get("namespace") or "")


def _files(access: Access) -> str:
    """Where the configuration is looked for, as kubectl does."""
    return access.kubeconfig or os.environ.get("KUBECONFIG", "") or str(Path.home() / ".kube" / "config")


def _default_exists() -> bool:
    return (Path.home() / ".kube" / "config").is_file()


def _message(body: bytes | str) -> str:
    try:
        status = json.loads(body)
    except ValueError:
        return ""
    return str(status.get("message", "")) if isinstance(status, dict) else ""


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [""])[0][:300] or type(error).__name__
