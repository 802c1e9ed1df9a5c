"""A Service that only some pods may talk with, on a network that enforces it: pods, policies, and what rules count."""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from cluster.prediction import Said, packetpath
from cluster.stage import install_agent

from testbed.cluster import Cluster
from testbed.connections import forget_connections
from testbed.control import Node, Place
from testbed.traffic import Reached, TimedOut, attempt, pods_reached
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT, Server

SERVERS = {f"closed-{node}": node for node in ("node1", "node2", "node3")}
CLIENTS = {"friend": "node1", "other": "node1", "mute": "node1"}
RULES = ("iptables-nft", "iptables-legacy")
FEW = 16
"""Connections that are waited for in vain, all at once."""


def policy(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    """A NetworkPolicy."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def policies(namespace: str) -> tuple[dict[str, Any], ...]:
    """`friend` may ask the servers, `mute` may ask nobody, and whoever else asks the servers is denied."""
    rule = {"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}], "ports": [{"port": "http"}]}
    return (
        policy(namespace, "deny", podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Ingress"]),
        policy(namespace, "allow", podSelector={"matchLabels": {"app": "web"}}, ingress=[rule]),
        policy(namespace, "mute", podSelector={"matchLabels": {"app": "mute"}}, policyTypes=["Egress"]),
    )


SPACE = "guarded"
RAISED: dict[str, str] = {}
"""Per cluster: the Service's address."""


def guarded_service(cluster: Cluster) -> str:
    """The address of a Service with a server on each node, which only `friend` may ask; made once per cluster."""
    name = cluster.spec.name
    if name not in RAISED:
        install_agent(cluster)
        if SPACE not in {each["metadata"]["name"] for each in cluster.kube.list("Namespace")}:
            cluster.create_namespace(SPACE)
        RAISED[name] = raise_guard(cluster, SPACE)
    forget_connections(cluster, SPACE)
    return RAISED[name]


def ask(cluster: Cluster, client: str, target: str = "svc/web:http", expect: int | None = None) -> Said:
    """The path of a client's connection."""
    return packetpath(cluster, target, "-n", SPACE, "--from", f"pod/{client}", expect=expect)


def raise_guard(cluster: Cluster, namespace: str) -> str:
    """Make all of it, and wait until it is enforced everywhere; the Service's address."""
    web = Server(name="web", namespace=namespace)
    cluster.kube.delete(*policies(namespace))  # those that a cluster kept from an earlier run
    for name, node in (*SERVERS.items(), *CLIENTS.items()):
        pod = Server(name=name, namespace=namespace, node=node).pod()
        if name in SERVERS:
            pod["metadata"]["labels"] = web.labels
            pod["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": TCP_PORT}]
        elif name == "friend":
            pod["metadata"]["labels"]["role"] = "friend"
        cluster.kube.apply(pod)
    (service,) = cluster.kube.apply(web.service())
    address = str(service["spec"]["clusterIP"])
    for name in CLIENTS:
        wait_until(f"{name} reaches the servers", partial(_reaches_all, cluster, namespace, name, address))
    cluster.kube.apply(*policies(namespace))
    for name in ("other", "mute"):
        wait_until(f"{name} is stopped", partial(_is_stopped, cluster, namespace, name, address))
    wait_until("friend is not", partial(_reaches_all, cluster, namespace, "friend", address))
    return address


def _reaches_all(cluster: Cluster, namespace: str, name: str, address: str) -> bool:
    if not cluster.kube.get("Pod", name, namespace).get("status", {}).get("podIP"):
        return False
    tries = attempt(cluster.pod(namespace, name), address, 80, count=36, timeout_seconds=0.5)
    return set(pods_reached(tries)) == set(SERVERS) and all(isinstance(each, Reached) for each in tries)


def _is_stopped(cluster: Cluster, namespace: str, name: str, address: str) -> bool:
    return all_lost(cluster.pod(namespace, name), address, 80, seconds=0.5)


def ends_in(path: dict[str, Any]) -> str:
    """The pod to which the path leads, by its address."""
    return str(path["packet"]["destination"])


def all_lost(place: Place, address: str, port: int, seconds: float = 1) -> bool:
    """Whether nobody answers, not even with a refusal."""
    tries = attempt(place, address, port, count=FEW, timeout_seconds=seconds)
    return all(isinstance(each, TimedOut) for each in tries)


def kinds(path: dict[str, Any]) -> set[str]:
    """What happened to the packet."""
    return {step["kind"] for hop in path["hops"] for step in hop["steps"]}


def rules_of(path: dict[str, Any]) -> Iterator[str]:
    """Every rule of iptables that the packet met, as `iptables-save` prints it."""
    for hop in path["hops"]:
        yield from (each["text"] for step in hop["steps"] for each in _rules(step["because"]))


def last_rule(path: dict[str, Any]) -> dict[str, Any]:
    """The rule that ended the packet."""
    (rule,) = _rules(path["hops"][-1]["steps"][-1]["because"])
    return rule


def _rules(facts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in facts if each["section"] in RULES]


def counted(node: Node, text: str) -> int:
    """How many packets a rule of the table `filter` has met."""
    lines = node.run(["iptables-save", "-c", "-t", "filter"]).splitlines()
    (line,) = (each for each in lines if each.endswith(f"] {text}"))
    found = re.match(r"\[(\d+):", line)
    assert found is not None
    return int(found[1])
