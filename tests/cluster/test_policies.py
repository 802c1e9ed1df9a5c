"""Policies on a real cluster whose network enforces none: what they say stands beside what the kernel does."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.prediction import Said, packetpath
from cluster.stage import install_agent

from testbed.cluster import Cluster
from testbed.connections import forget_connections
from testbed.control import Node, Place
from testbed.faults import ForeignRule, fault
from testbed.traffic import Reached, attempt, pods_reached
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(nodes=2, family="dual", proxies={"node2": "nftables"}, network="bridge"),
]
ROLE = Path(__file__).parents[2] / "manifests" / "client-role.yaml"


def policy(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    """A NetworkPolicy."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


@pytest.fixture
def guarded(cluster: Cluster, namespace: str) -> str:
    """A Service on node2 that only the pod `friend` on node1 may talk with, and another pod beside that one."""
    install_agent(cluster)
    web = Server(name="web", namespace=namespace, node="node2")
    server = web.pod()
    friend, other = (
        Server(name=name, namespace=namespace, node="node1").pod() for name in ("friend", "other")
    )
    friend["metadata"]["labels"]["role"] = "friend"
    rule = {"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}], "ports": [{"port": "http"}]}
    server["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
    cluster.kube.apply(
        web.service(),
        server,
        friend,
        other,
        policy(namespace, "deny", podSelector={}, policyTypes=["Ingress"]),
        policy(namespace, "allow", podSelector={"matchLabels": web.labels}, ingress=[rule]),
    )
    address = cluster.kube.get("Service", "web", namespace)["spec"]["clusterIP"]
    for name in ("friend", "other"):
        wait_until(f"{name} runs", partial(_runs, cluster, namespace, name))
        wait_until(
            f"{name} reaches the Service",
            partial(_reached, cluster.pod(namespace, name), address),
        )
    forget_connections(cluster, namespace)
    return namespace


def _reached(place: Place, address: str) -> bool:
    return bool(pods_reached(attempt(place, address, 80, count=1, timeout_seconds=0.5)))


def _runs(cluster: Cluster, namespace: str, name: str) -> bool:
    return bool(cluster.kube.get("Pod", name, namespace).get("status", {}).get("podIP"))


def ask(cluster: Cluster, namespace: str, name: str, *words: str, expect: int = 0) -> Said:
    """The path of a pod to the Service."""
    return packetpath(
        cluster, "svc/web:http", "-n", namespace, "--from", f"pod/{name}", *words, expect=expect
    )


def codes_of(way: dict[str, Any]) -> list[str]:
    """What is found."""
    return [each["code"] for each in way["findings"]]


def test_policies_and_the_kernel_stand_side_by_side(cluster: Cluster, guarded: str) -> None:
    """Both pods get through, as they were seen to; the policies deny one of them, and that is a finding."""
    friend, other = (ask(cluster, guarded, name).ways[0] for name in ("friend", "other"))
    sides = [way["paths"][0]["policies"] for way in (friend, other)]

    assert [way["verdict"] for way in (friend, other)] == ["DELIVERED", "DELIVERED"]
    assert [(egress["says"], ingress["says"]) for egress, ingress in sides] == [
        ("allowed", "allowed"),
        ("allowed", "denied"),
    ]
    assert (sides[0][1]["by"]["name"], sides[0][1]["by"]["rule"]) == ("allow", 1)
    assert (codes_of(friend), codes_of(other)) == ([], ["PP501"])


def test_the_network_that_enforces_nothing_is_named(cluster: Cluster, guarded: str) -> None:
    """By the CNI configuration of the nodes."""
    told = json.loads(ask(cluster, guarded, "other").out)

    assert told["enforcement"] == {
        "enforcers": [],
        "networks_without": ["the bridge plugin"],
        "not_looked_at": None,
    }


@pytest.fixture
def unseen_enforcer(cluster: Cluster) -> Iterator[None]:
    """A DaemonSet like Cilium's, which never runs anywhere."""
    labels = {"app": "unseen"}
    container = {"name": "agent", "image": "quay.io/cilium/cilium:v1.16.1"}
    daemonset = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "cilium", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"nodeSelector": {"no": "such"}, "containers": [container]},
            },
        },
    }
    cluster.kube.apply(daemonset)
    yield
    cluster.kube.delete(daemonset)


@pytest.mark.usefixtures("unseen_enforcer")
def test_what_an_unseen_enforcer_decides_is_unknown(cluster: Cluster, guarded: str) -> None:
    """With the place where it is decided, and exit code 3."""
    way = ask(cluster, guarded, "friend", expect=3).ways[0]

    assert way["verdict"] == "UNKNOWN"
    (place,) = way["unknown"]
    assert place.startswith(
        "policies allow it, and Cilium enforces them by BPF programs at the pods' devices"
    )


def test_what_may_not_be_read_is_said(cluster: Cluster, guarded: str) -> None:
    """The documented rights read all; without that for policies, the answer is otherwise the same."""
    role, local, *_ = yaml.safe_load_all(ROLE.read_text())
    poor = role | {
        "metadata": {"name": "no-policies"},
        "rules": [each for each in role["rules"] if each["apiGroups"] != ["networking.k8s.io"]],
    }
    for given, users in ((role, ("rich",)), (poor, ("poor",)), (local, ("rich", "poor"))):
        subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name} for name in users]
        reference = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": given["kind"],
            "name": given["metadata"]["name"],
        }
        metadata = given["metadata"] | {"name": f"policies-{given['metadata']['name']}"}
        binding = {"kind": f"{given['kind']}Binding", "metadata": metadata, "roleRef": reference}
        kind = {"apiVersion": "rbac.authorization.k8s.io/v1"}
        cluster.kube.apply(given, kind | binding | {"subjects": subjects})
    words = ("svc/web:http", "-n", guarded, "--from", "pod/other", "--as")
    wait_until("the rights count", lambda: packetpath(cluster, *words, "rich").code == 0)

    rich, poor_ = (json.loads(packetpath(cluster, *words, name, expect=0).out) for name in ("rich", "poor"))

    assert rich["paths"][0]["policies"][1]["says"] == "denied"
    assert "notes" not in rich
    assert poor_["notes"] == ["Policies are not all known: networkpolicies may not be read."]
    assert poor_["paths"][0]["policies"][1]["says"] == "unknown"
    assert poor_["verdict"] == "DELIVERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignChain:
    """A chain of iptables that somebody else made, without a rule."""

    node: Node
    chain: str

    def apply(self) -> Callable[[], object]:
        """In the filter table."""
        self.node.run(["iptables", "-w", "-N", self.chain])
        return partial(self.node.run, ["iptables", "-w", "-X", self.chain])


@pytest.fixture
def foreign_chain(cluster: Cluster) -> Iterator[str]:
    """A chain on node2 like the one that kube-router makes, through which all forwarded packets go."""
    chain, node = "KUBE-ROUTER-FORWARD", cluster.node("node2")
    with fault(
        ForeignChain(node=node, chain=chain), ForeignRule(node=node, chain="FORWARD", rule=f"-j {chain}")
    ):
        yield chain


def test_rules_that_let_pass_what_policies_deny_are_drift(
    cluster: Cluster, guarded: str, foreign_chain: str
) -> None:
    """An enforcer is there, and its rules know nothing of these policies: real connections get through."""
    web = cluster.pod(guarded, "web").addresses[0]
    real = attempt(cluster.pod(guarded, "other"), web, 8080, count=5)
    told = ask(cluster, guarded, "other")

    assert len(pods_reached(real)) == 1
    assert codes_of(told.ways[0]) == ["PP502"]
    (enforcer,) = json.loads(told.out)["enforcement"]["enforcers"]
    assert (enforcer["name"], enforcer["followed"]) == ("kube-router", True)
    assert f"chain {foreign_chain} on node2" in enforcer["evidence"]


def test_rules_that_stop_what_policies_allow_are_drift(
    cluster: Cluster, guarded: str, foreign_chain: str
) -> None:
    """Neither pod gets through; for the one that the policies allow that is drift."""
    web = cluster.pod(guarded, "web").addresses[0]
    stop = ForeignRule(
        node=cluster.node("node2"), chain=foreign_chain, rule=f"-p tcp -d {web} --dport 8080 -j REJECT"
    )
    with fault(stop):
        real = [attempt(cluster.pod(guarded, name), web, 8080, count=1)[0] for name in ("friend", "other")]
        friend, other = (ask(cluster, guarded, name, expect=1).ways[0] for name in ("friend", "other"))

    assert not any(isinstance(each, Reached) for each in real)
    assert [way["verdict"] for way in (friend, other)] == ["REJECTED", "REJECTED"]
    assert [codes_of(way) for way in (friend, other)] == [["PP503"], ["PP504"]]
