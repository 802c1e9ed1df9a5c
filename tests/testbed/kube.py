"""The Kubernetes API, spoken directly: a few lines, milliseconds a call, and every answer plain data."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

Manifest = Mapping[str, Any]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class KubeError(Exception):
    """The API server refused; `code` is its HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Kube:
    """One API server, spoken to as the cluster's administrator."""

    host: str
    port: int
    tls: ssl.SSLContext
    _kinds: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    @classmethod
    def connect(cls, host: str, pki: Path, port: int = 6443) -> "Kube":
        """For an API server at this address; nothing is sent yet."""
        tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        return cls(host=host, port=port, tls=tls)

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        """One call; JSON comes back as data, other answers as text."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(
                method, path, payload, {"Content-Type": content_type, "Accept": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise KubeError(answer.status, _message(text))
        return json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def ready(self) -> bool:
        """Whether the API server answers and says that it is ready."""
        try:
            return bool(self.request("GET", "/readyz") == "ok")
        except (OSError, http.client.HTTPException, KubeError):
            return False

    def apply(self, *manifests: Manifest) -> list[dict[str, Any]]:
        """Create or change objects so that they are as described."""
        query = "?fieldManager=testbed&force=true"
        return [self.request("PATCH", self.path_of(each) + query, each, APPLY) for each in manifests]

    def patch(self, manifest: Manifest, *, subresource: str = "") -> dict[str, Any]:
        """Merge what is given into an object that exists."""
        suffix = f"/{subresource}" if subresource else ""
        return dict(self.request("PATCH", self.path_of(manifest) + suffix, manifest, MERGE))

    def get(self, kind: str, name: str, namespace: str | None = None, api: str = "v1") -> dict[str, Any]:
        """One object."""
        return dict(self.request("GET", self._path(api, kind, namespace, name)))

    def list(
        self, kind: str, namespace: str | None = None, api: str = "v1", labels: str = ""
    ) -> list[dict[str, Any]]:
        """All objects of a kind, in one namespace or in all."""
        query = f"?labelSelector={quote(labels)}" if labels else ""
        found = self.request("GET", self._path(api, kind, namespace, None) + query)
        return [{"apiVersion": api, "kind": kind} | each for each in found["items"]]

    def delete(self, *manifests: Manifest, grace_seconds: int = 0) -> None:
        """Delete objects; those that are not there count as deleted."""
        options = {"gracePeriodSeconds": grace_seconds, "propagationPolicy": "Background"}
        for each in manifests:
            try:
                self.request("DELETE", self.path_of(each), options)
            except KubeError as error:
                if error.code != 404:
                    raise

    def path_of(self, manifest: Manifest) -> str:
        """The address of an object."""
        metadata = manifest["metadata"]
        return self._path(
            manifest["apiVersion"], manifest["kind"], metadata.get("namespace"), metadata["name"]
        )

    def _path(self, api: str, kind: str, namespace: str | None, name: str | None) -> str:
        plural, namespaced = self._kind(api, kind)
        base = f"/api/{api}" if "/" not in api else f"/apis/{api}"
        if namespaced and (namespace is not None or name is not None):
            base += f"/namespaces/{namespace or 'default'}"
        return f"{base}/{plural}" + (f"/{quote(name)}" if name else "")

    def _kind(self, api: str, kind: str) -> tuple[str, bool]:
        if (api, kind) not in self._kinds:
            listed = self.request("GET", f"/api/{api}" if "/" not in api else f"/apis/{api}")
            for each in listed["resources"]:
                if "/" not in each["name"]:
                    self._kinds[api, each["kind"]] = (each["name"], each["namespaced"])
        return self._kinds[api, kind]


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:500]
