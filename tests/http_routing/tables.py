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
            words = case.get("says") or " ".join(
                [case.get("method", ""), case["url"], *map(str, case.get("headers", {}).values())]
            )
            yield f"{number}: {words}", group, case


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


def gateway_json(group: Case) -> Case:
    """`listeners: [[name, port, protocol, hostname, from]]` as the API writes it."""
    listeners = []
    for short in group.get("listeners", [["http", 80, "HTTP", ""]]):
        name, port, protocol, hostname, *given = short
        listener: Case = {"name": name, "port": port, "protocol": protocol}
        if hostname:
            listener["hostname"] = hostname
        source = given[0] if given else "Same"
        namespaces: Case = {"from": source}
        if isinstance(source, dict):
            namespaces = {"from": "Selector", "selector": {"matchLabels": source}}
        listener["allowedRoutes"] = {"namespaces": namespaces}
        listeners.append(listener)
    meta = {"namespace": "infra", "name": "edge"}
    return {"metadata": meta, "spec": {"gatewayClassName": "any", "listeners": listeners}}


def route_json(number: int, short: Case) -> Case:
    """A route in short notation as the API writes it."""
    parent: Case = {"name": "edge", "namespace": "infra"}
    if "port" in short:
        parent["port"] = short["port"]
    parents = [parent | {"sectionName": name} for name in short.get("at", ())] or [parent]
    meta = {
        "namespace": short.get("namespace", "infra"),
        "name": f"r{number}",
        "creationTimestamp": f"2024-01-01T00:00:{number:02d}Z",
    }
    rules = [_rule_json(target, matches) for target, *matches in short["rules"]]
    return {
        "metadata": meta,
        "spec": {"parentRefs": parents, "hostnames": short.get("hosts", []), "rules": rules},
    }


def _rule_json(target: Any, matches: list[str]) -> Case:
    rule: Case = {"matches": [_match_json(each) for each in matches]}
    if isinstance(target, dict) and any(key[0].isupper() for key in target):
        rule["filters"] = [
            {"type": kind, kind[0].lower() + kind[1:]: given} for kind, given in target.items()
        ]
        return rule
    weights = target if isinstance(target, dict) else {target: 1}
    rule["backendRefs"] = [{"name": name, "port": 8080, "weight": weight} for name, weight in weights.items()]
    return rule


def _match_json(words: str) -> Case:
    match: Case = {}
    for word in words.split():
        kind, _, rest = word.partition(":")
        name, _, value = rest.partition("=")
        match_of = {"name": name, "value": value}
        if kind == "h":
            match.setdefault("headers", []).append(match_of)
        elif kind == "q":
            match.setdefault("queryParams", []).append(match_of)
        elif kind == "m":
            match["method"] = rest
        elif kind == "g":
            service, _, method = rest.partition("/")
            match["method"] = {"service": service, "method": method}
        else:
            types = {"=": "Exact", "~": "RegularExpression"}
            match["path"] = {"type": types.get(word[0], "PathPrefix"), "value": word.lstrip("=~")}
    return match
