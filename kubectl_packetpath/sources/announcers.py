"""What MetalLB's speakers say of themselves: which of them announces which Service, and whether they are ready.

Kubernetes: ServiceL2Status and ServiceBGPStatus of https://metallb.io/apis/
"""

from collections.abc import Iterator
from typing import Any

from kubectl_packetpath.sources.api import FORBIDDEN, NOT_FOUND, Api, ApiError

ROOT = "/apis/metallb.io/v1beta1"
KINDS = {"servicel2statuses": "L2", "servicebgpstatuses": "BGP"}
KIND = "announcements"
Objects = dict[str, list[dict[str, Any]]]


def read_announcements(api: Api) -> Objects:
    """All announcements; why there are none to be read, where MetalLB is not there or may not be looked at."""
    listed: list[dict[str, Any]] = []
    missing: list[dict[str, Any]] = []
    for plural, how in KINDS.items():
        try:
            found = list(api.list(f"{ROOT}/{plural}"))
        except ApiError as error:
            if error.status not in {FORBIDDEN, NOT_FOUND}:
                raise
            why = "not_loaded" if error.status == NOT_FOUND else "not_permitted"
            detail = f"the cluster has no {plural}" if error.status == NOT_FOUND else str(error)
            missing.append({"kind": KIND, "why": why, "detail": detail})
            continue
        listed += [_row(each, how) for each in found]
    if len(missing) == len(KINDS) or any(each["why"] == "not_permitted" for each in missing):
        return {"absent": missing[:1]}
    ready = dict(_speakers(api, {str(each["home"]) for each in listed}))
    return {KIND: [each | {"speakerReady": ready.get((each["home"], each["speaker"]))} for each in listed]}


def _row(given: dict[str, Any], how: str) -> dict[str, Any]:
    meta, status = given.get("metadata") or {}, given.get("status") or {}
    owners = [each.get("name") for each in meta.get("ownerReferences") or () if each.get("kind") == "Pod"]
    kind = {"L2": "ServiceL2Status", "BGP": "ServiceBGPStatus"}[how]
    return {
        "how": how,
        "source": f"{kind} {meta.get('name', '')}",
        "home": str(meta.get("namespace", "")),
        "speaker": str(next(iter(owners), "")),
        "node": status.get("node", ""),
        "namespace": status.get("serviceNamespace", ""),
        "name": status.get("serviceName", ""),
        "peers": list(status.get("peers") or ()),
    }


def _speakers(api: Api, homes: set[str]) -> Iterator[tuple[tuple[str, str], bool]]:
    """Whether the pods of the speakers' namespaces are ready; nothing where they may not be read."""
    for home in sorted(homes - {""}):
        try:
            pods = list(api.list(f"/api/v1/namespaces/{home}/pods"))
        except ApiError as error:
            if error.status not in {FORBIDDEN, NOT_FOUND}:
                raise
            continue
        for pod in pods:
            conditions = (pod.get("status") or {}).get("conditions") or ()
            ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
            yield (home, str(pod["metadata"]["name"])), ready
