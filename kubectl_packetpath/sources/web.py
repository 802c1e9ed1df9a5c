"""Ingresses, Gateways and routes from the API; and of Secrets the certificates alone.

The Gateway API is made of custom resources that many clusters do not have, so the kinds that exist are asked for
first. Of annotations only those are kept by which a controller is known to change where requests go. The answer for a
Secret holds a private key, which is dropped before anything else looks at it.

Kubernetes: https://gateway-api.sigs.k8s.io/, https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from kubectl_packetpath.cluster.http.controllers import CONTROLLERS
from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.gateway.model import GROUP
from kubectl_packetpath.cluster.http.model import DEFAULT_CLASS, LEGACY_CLASS, NETWORKING
from kubectl_packetpath.cluster.http.tls.model import Secret, Secrets
from kubectl_packetpath.cluster.http.web import ROUTE_KINDS
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.sources.api import FORBIDDEN, NOT_FOUND, Api, ApiError
from kubectl_packetpath.sources.certificates import CERTIFICATE, secret_of

Objects = dict[str, list[dict[str, Any]]]
OF_INGRESS = f"/apis/{NETWORKING}/v1"
OF_GATEWAY = ("gatewayclasses", "gateways", *ROUTE_KINDS, "referencegrants")
WIDE = {"ingressclasses", "gatewayclasses"}
"""Kinds that belong to no namespace."""
CANARIES = "nginx.ingress.kubernetes.io/canary"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
"""Asks for names and labels only: no data of any Secret leaves the API server."""


def _known() -> frozenset[str]:
    names = {each.name for controller in CONTROLLERS for each in controller.annotations}
    for each in CONTROLLERS:
        names.add(each.allows_http)
        if each.redirect is not None:
            names |= {each.redirect.switch, each.redirect.force}
    return frozenset(names | {LEGACY_CLASS, DEFAULT_CLASS} - {""})


KNOWN_ANNOTATIONS = _known()


def kept_annotations(given: Any) -> dict[str, str]:
    """Only those by which a controller is told something."""
    if not isinstance(given, Mapping):
        return {}
    return {
        str(name): str(value)
        for name, value in given.items()
        if name in KNOWN_ANNOTATIONS or str(name).startswith(CANARIES)
    }


def kept(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an object: its name, age and annotations, what it wants, and what controllers say of it."""
    meta = given.get("metadata") or {}
    named = {
        key: meta[key] for key in ("name", "namespace", "creationTimestamp", "generation") if key in meta
    }
    named["annotations"] = kept_annotations(meta.get("annotations"))
    status = given.get("status")
    return {"metadata": named, "spec": given.get("spec") or {}} | ({"status": status} if status else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebReader:
    """Reads all kinds, with a row for each that is not there or may not be read."""

    api: Api
    namespaces: tuple[str, ...] = ()
    """Read instead, where a kind may not be read in all namespaces."""
    objects: Objects = field(default_factory=dict)

    def read(self) -> Objects:
        """All of it, at once."""
        paths = dict.fromkeys(("ingresses", "ingressclasses"), OF_INGRESS) | self._served()
        with ThreadPoolExecutor(max_workers=len(paths)) as pool:
            for each in [pool.submit(self._list, kind, root) for kind, root in sorted(paths.items())]:
                each.result()
        return self.objects

    def _served(self) -> dict[str, str]:
        """Where each kind of the Gateway API is served, in its newest version."""
        try:
            versions = self.api.get(f"/apis/{GROUP}").get("versions") or ()
        except ApiError as error:
            why = "not_loaded" if error.status == NOT_FOUND else "not_permitted"
            detail = "the cluster has no Gateway API" if error.status == NOT_FOUND else str(error)
            for kind in OF_GATEWAY:
                self._absent(kind, why, detail)
            return {}
        found: dict[str, str] = {}
        for version in versions:
            root = f"/apis/{version.get('groupVersion')}"
            for resource in self.api.get(root).get("resources") or ():
                found.setdefault(str(resource.get("name")), root)
        for kind in OF_GATEWAY:
            if kind not in found:
                self._absent(kind, "not_loaded", f"the cluster has no {kind}")
        return {kind: found[kind] for kind in OF_GATEWAY if kind in found}

    def _list(self, kind: str, root: str) -> None:
        try:
            self.objects[kind] = [kept(each) for each in self.api.list(f"{root}/{kind}")]
        except ApiError as error:
            if error.status not in {FORBIDDEN, NOT_FOUND}:
                raise
            if error.status == NOT_FOUND:
                self._absent(kind, "not_loaded", f"the cluster has no {kind}")
            elif kind in WIDE or not self._list_own(kind, root):
                self._absent(kind, "not_permitted", str(error))

    def _list_own(self, kind: str, root: str) -> bool:
        """Those of the user's own namespaces; the others could not be read, and that is said."""
        found: list[dict[str, Any]] = []
        for namespace in self.namespaces:
            try:
                found += [kept(each) for each in self.api.list(f"{root}/namespaces/{namespace}/{kind}")]
            except ApiError as error:
                if error.status not in {FORBIDDEN, NOT_FOUND}:
                    raise
                return False
        if not self.namespaces:
            return False
        self.objects[kind] = found
        detail = f"{kind} may be read in {', '.join(self.namespaces)} only"
        self._absent(kind, "not_permitted", detail, only=self.namespaces)
        return True

    def _absent(self, kind: str, why: str, detail: str, only: Iterable[str] = ()) -> None:
        row: dict[str, Any] = {"kind": kind, "why": why, "detail": detail}
        self.objects.setdefault("absent", []).append(row | ({"only": list(only)} if only else {}))


def read_secrets(api: Api, wanted: Iterable[Reference]) -> Secrets:
    """The certificates of these Secrets, and where else there are Secrets of the same names."""
    found: list[Secret] = []
    missing: list[Reference] = []
    for each in dict.fromkeys(wanted):
        try:
            found.append(_certificates_only(api, each))
        except ApiError as error:
            if error.status == NOT_FOUND:
                missing.append(each)
            elif error.status == FORBIDDEN:
                return Secrets(found=Absent(why=Why.NOT_PERMITTED, detail=str(error)))
            else:
                raise
    return Secrets(
        found=tuple(found), elsewhere=tuple(place for each in missing for place in _elsewhere(api, each))
    )


def _certificates_only(api: Api, wanted: Reference) -> Secret:
    answer = api.get(f"/api/v1/namespaces/{wanted.namespace}/secrets/{wanted.name}")
    data = answer.pop("data", None) or {}
    return secret_of(answer | {"data": {CERTIFICATE: data.get(CERTIFICATE, "")}})


def _elsewhere(api: Api, wanted: Reference) -> list[Reference]:
    """Other namespaces with a Secret of that name, by the names alone; none if that may not be asked."""
    query = {"fieldSelector": f"metadata.name={wanted.name}", "limit": "20"}
    try:
        answer = api.request("GET", "/api/v1/secrets", query, accept=NAMES_ONLY)
    except ApiError:
        return []
    return [
        Reference(kind="Secret", namespace=str(meta.get("namespace", "")), name=wanted.name)
        for each in answer.get("items") or ()
        if (meta := each.get("metadata") or {}).get("namespace") != wanted.namespace
    ]
