"""Policies, and what they are judged by: read from the API where the user may, and named where not.

The kinds of the network policy API are custom resources that most clusters do not have. An API server refuses a
forbidden list before it looks whether there is such a kind, so the kinds that exist are asked for first: everybody may.

Kubernetes: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from kubectl_packetpath.cluster.policy.read import NAMESPACED, TIERED
from kubectl_packetpath.sources.api import FORBIDDEN, NOT_FOUND, Api, ApiError

Objects = dict[str, list[dict[str, Any]]]
NETWORKING = "/apis/networking.k8s.io/v1"
GROUP = "/apis/policy.networking.k8s.io"
DAEMONSETS = "/apis/apps/v1/daemonsets"
FLAGS = ("--enable-network-policy", "--run-firewall")
"""Arguments that switch policies on or off; no other one of a program is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policed:
    """Reads what policies are judged by, with a row for each kind that may not be read."""

    api: Api
    namespaces: tuple[str, ...] = ()
    """Where policies are read if they may not be read everywhere."""
    objects: Objects = field(default_factory=dict)

    def read(self) -> Objects:
        """All of it, at once."""
        parts: tuple[Callable[[], object], ...] = (
            self._namespaced,
            self._tiered,
            lambda: self._list("namespaces", "/api/v1/namespaces", _namespace),
            lambda: self._list("daemonsets", DAEMONSETS, _daemonset),
        )
        with ThreadPoolExecutor(max_workers=len(parts)) as pool:
            for each in [pool.submit(part) for part in parts]:
                each.result()
        return self.objects

    def _namespaced(self) -> None:
        if self._list(NAMESPACED, f"{NETWORKING}/{NAMESPACED}", _policy, refused=False):
            return
        read = [
            each
            for each in self.namespaces
            if self._list(NAMESPACED, f"{NETWORKING}/namespaces/{each}/{NAMESPACED}", _policy, refused=False)
        ]
        if read:
            self._refuse(NAMESPACED, "NetworkPolicies may not be read in all namespaces", only=read)
        else:
            self._list(NAMESPACED, f"{NETWORKING}/{NAMESPACED}", _policy)

    def _tiered(self) -> None:
        """The newest version of each kind that the cluster has."""
        try:
            versions = self.api.get(GROUP).get("versions") or ()
        except ApiError as error:
            if error.status != NOT_FOUND:
                self._refuse("adminnetworkpolicies", str(error))
            return
        served: dict[str, str] = {}
        for version in versions:
            path = f"/apis/{version.get('groupVersion')}"
            for resource in self.api.get(path).get("resources") or ():
                served.setdefault(str(resource.get("name")), path)
        for kind in TIERED:
            if kind in served:
                self._list(kind, f"{served[kind]}/{kind}", _policy)

    def _list(self, kind: str, path: str, kept: Any, *, refused: bool = True) -> bool:
        try:
            found = [kept(each) for each in self.api.list(path)]
        except ApiError as error:
            if error.status == NOT_FOUND:
                self.objects.setdefault(kind, [])
                return True
            if error.status != FORBIDDEN:
                raise
            if refused:
                self._refuse(kind, str(error))
            return False
        self.objects.setdefault(kind, []).extend(found)
        return True

    def _refuse(self, kind: str, why: str, only: Iterable[str] = ()) -> None:
        row: dict[str, Any] = {"kind": kind, "why": "not_permitted", "detail": why}
        self.objects.setdefault("absent", []).append(row | ({"only": list(only)} if only else {}))


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    meta = given.get("metadata") or {}
    return {key: meta[key] for key in ("name", "namespace") if key in meta}


def _policy(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": _named(given), "spec": given.get("spec") or {}}


def _namespace(given: Mapping[str, Any]) -> dict[str, Any]:
    labels = (given.get("metadata") or {}).get("labels") or {}
    return {"metadata": _named(given) | {"labels": labels}}


def _daemonset(given: Mapping[str, Any]) -> dict[str, Any]:
    template = (given.get("spec") or {}).get("template") or {}
    containers = [dict(_container(each)) for each in (template.get("spec") or {}).get("containers") or ()]
    return {"metadata": _named(given), "spec": {"template": {"spec": {"containers": containers}}}}


def _container(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "name", given.get("name")
    yield "image", given.get("image")
    flags = [flag for flag in given.get("args") or () if str(flag).startswith(FLAGS)]
    if flags:
        yield "args", flags
