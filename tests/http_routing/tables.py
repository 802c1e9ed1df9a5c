"""Reads the tables of examples in this folder, and writes their short notation out as Kubernetes' JSON."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
Case = dict[str, Any]


def groups(name: str) -> list[Case]:
    """The groups of a table."""
    loaded: list[Case] = yaml.safe_load((HERE / name).read_text())
    return loaded


def requests(name: str) -> Iterator[tuple[str, Case, Case]]:
    """Every request of a table with its group; the first is a name for it."""
    for number, group in enumerate(groups(name)):
        for case in group["requests"]:
            yield f"{number}: {case['says']}", group, case


def ingress_json(number: int, short: Case) -> Case:
    """`rules: [[host, type, path, service]]` as the API writes it."""
    rules = []
    for host, *path in short.get("rules", ()):
        rule: Case = {"host": host} if host else {}
        if path:
            kind, value, service = path
            backend = {"service": {"name": service, "port": {"number": 80}}}
            rule["http"] = {"paths": [{"path": value, "pathType": kind, "backend": backend}]}
        rules.append(rule)
    spec: Case = {"rules": rules}
    if "default" in short:
        spec["defaultBackend"] = {"service": {"name": short["default"], "port": {"number": 80}}}
    if "class" in short:
        spec["ingressClassName"] = short["class"]
    created = short.get("created", f"2024-01-01T00:00:{number:02d}Z")
    meta = {"namespace": "default", "name": short.get("name", f"i{number}"), "creationTimestamp": created}
    return {"metadata": meta | {"annotations": short.get("annotations", {})}, "spec": spec}
