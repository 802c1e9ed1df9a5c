"""To whom load balancers of AWS send: the TargetGroupBindings that their controller has made.

Kubernetes: https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/targetgroupbinding/spec/
"""

from typing import Any

from kubectl_packetpath.sources.api import FORBIDDEN, NOT_FOUND, Api, ApiError

PATH = "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings"
KIND = "targetgroupbindings"
Objects = dict[str, list[dict[str, Any]]]


def read_targets(api: Api) -> Objects:
    """All of them; why there are none to be read, where the controller is not there or may not be looked at."""
    try:
        found = list(api.list(PATH))
    except ApiError as error:
        if error.status not in {FORBIDDEN, NOT_FOUND}:
            raise
        why = "not_loaded" if error.status == NOT_FOUND else "not_permitted"
        detail = f"the cluster has no {KIND}" if error.status == NOT_FOUND else str(error)
        return {"absent": [{"kind": KIND, "why": why, "detail": detail}]}
    return {KIND: [_row(each) for each in found]}


def _row(given: dict[str, Any]) -> dict[str, Any]:
    meta, spec = given.get("metadata") or {}, given.get("spec") or {}
    return {
        "metadata": {key: meta[key] for key in ("name", "namespace") if key in meta},
        "spec": {key: spec[key] for key in ("serviceRef", "targetType") if key in spec},
    }
