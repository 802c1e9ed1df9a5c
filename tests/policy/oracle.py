"""An independent judge of NetworkPolicies: cyclonus, built from its published module.

It knows labels, addresses and ports, and nothing of nodes, of the cluster's own policies, or of what cannot be known.
"""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from policy.cases import Case, Flow, Json

from testbed import build

SET = "cyclonus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What it says of the two ends of a flow."""

    egress: bool
    ingress: bool


def ask(cases: Iterable[Case]) -> list[list[Judgement]]:
    """Its judgement of every flow of every case, in one run of the program."""
    program = build.program_set(SET).target / SET
    questions = "\n".join(json.dumps(_question(case)) for case in cases)
    done = subprocess.run([str(program)], input=questions, capture_output=True, text=True, check=True)
    return [
        [Judgement(egress=each["Egress"], ingress=each["Ingress"]) for each in json.loads(line)]
        for line in done.stdout.splitlines()
    ]


def _question(case: Case) -> Json:
    return {
        "Policies": [_with_types(policy) for policy in case.policies],
        "Flows": [_traffic(case, flow) for flow in case.flows],
    }


def _with_types(policy: Json) -> Json:
    """It refuses a policy whose types the API server has not filled in yet."""
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return policy | {"spec": spec | {"policyTypes": types}}


def _traffic(case: Case, flow: Flow) -> Json:
    pod = case.pods.get(flow.destination)
    ports: list[Json] = pod["spec"]["containers"][0]["ports"] if pod is not None else []
    wanted = (flow.port, flow.protocol)
    return {
        "Source": _peer(case, flow.source),
        "Destination": _peer(case, flow.destination),
        "ResolvedPort": flow.port,
        "ResolvedPortName": next(
            (each["name"] for each in ports if (each["containerPort"], each["protocol"]) == wanted), ""
        ),
        "Protocol": flow.protocol,
    }


def _peer(case: Case, name: str) -> Json:
    pod = case.pods.get(name)
    if pod is None:
        return {"IP": name}
    namespace = pod["metadata"]["namespace"]
    inside: dict[str, Any] = {
        "Namespace": namespace,
        "NamespaceLabels": case.namespaces[namespace],
        "PodLabels": pod["metadata"]["labels"],
    }
    return {"IP": pod["status"]["podIP"], "Internal": inside}
