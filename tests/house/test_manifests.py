"""What the agent is given in a cluster: next to nothing, and each of it for a reason that its manifest tells."""

from itertools import chain
from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).parents[2] / "manifests"
CAPABILITIES = {"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"}


def installed() -> list[dict[str, Any]]:
    """What `agent install` and `kubectl apply -k` bring into a cluster."""
    listed = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]
    return list(chain.from_iterable(yaml.safe_load_all((MANIFESTS / name).read_text()) for name in listed))


def pod() -> dict[str, Any]:
    """The pod's description in the one DaemonSet."""
    (found,) = [each for each in installed() if each["kind"] == "DaemonSet"]
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def test_nothing_else_is_installed() -> None:
    """No role and no binding: the agent's identity has no right at all."""
    assert sorted(each["kind"] for each in installed()) == ["DaemonSet", "Namespace", "ServiceAccount"]


def test_the_agent_has_no_token() -> None:
    """Neither its account nor its pod mounts one: it never speaks to the API server."""
    (account,) = [each for each in installed() if each["kind"] == "ServiceAccount"]

    assert account["automountServiceAccountToken"] is False
    assert pod()["automountServiceAccountToken"] is False


def test_the_agent_opens_no_port() -> None:
    """Whoever may exec into its pod may ask; nobody else can reach it."""
    for container in pod()["containers"]:
        assert "ports" not in container
        assert not {"livenessProbe", "readinessProbe"} & container.keys()
        assert all("exec" in container.get(probe, {"exec": 1}) for probe in ("startupProbe",))


def test_the_agent_is_not_privileged() -> None:
    """Named capabilities instead, a file system that cannot be written to, and the runtime's filter of calls."""
    for container in pod()["containers"]:
        rights = container["securityContext"]
        assert rights["privileged"] is False
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert rights["capabilities"]["drop"] == ["ALL"]
        assert set(rights["capabilities"]["add"]) == CAPABILITIES


def test_each_capability_says_what_it_is_for() -> None:
    """In the manifest, where somebody reads it who is asked to allow it."""
    lines = (MANIFESTS / "daemonset.yaml").read_text().splitlines()
    told = [line for line in lines if line.strip().startswith("- ") and line.split()[1] in CAPABILITIES]

    assert len(told) == len(CAPABILITIES)
    assert all("#" in line for line in told)


def test_nothing_of_the_node_is_mounted() -> None:
    """Its files are read through its first process, and only read."""
    assert all(volume.keys() == {"name", "emptyDir"} for volume in pod()["volumes"])


def test_the_agent_is_bounded() -> None:
    """A node that is full keeps its agent, and the agent leaves the node its memory."""
    assert pod()["priorityClassName"] == "system-node-critical"
    assert {"operator": "Exists"} in pod()["tolerations"]
    for container in pod()["containers"]:
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_those_who_ask_may_change_nothing() -> None:
    """The client's role reads; `create` is what the API calls the beginning of an exec, and of a forwarded port."""
    roles = yaml.safe_load_all((MANIFESTS / "client-role.yaml").read_text())
    rules = [rule for role in roles for rule in role["rules"]]

    assert all("*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"]) for rule in rules)
    assert all("secrets" not in rule["resources"] for rule in rules)
    for rule in rules:
        begins = rule["resources"] in (["pods/exec"], ["pods/portforward"])
        allowed = {"get", "list", "create"} if begins else {"get", "list"}
        assert set(rule["verbs"]) <= allowed


def test_the_right_to_forward_ports_stands_alone() -> None:
    """Whoever binds the role of those who ask gives it to nobody: it is a role of its own."""
    roles = list(yaml.safe_load_all((MANIFESTS / "client-role.yaml").read_text()))
    holders = [
        role for role in roles if any("pods/portforward" in rule["resources"] for rule in role["rules"])
    ]

    assert [(role["metadata"]["name"], len(role["rules"])) for role in holders] == [
        ("packetpath-proxy-viewer", 1)
    ]
