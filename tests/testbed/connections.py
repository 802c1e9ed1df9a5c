"""What the nodes of a cluster remember of connections: a test that asks about new ones begins without old ones."""

from collections.abc import Iterator, Mapping
from typing import Any

from testbed.cluster import Cluster


def forget_connections(cluster: Cluster, namespace: str) -> None:
    """Remove from every node's table what belongs to the pods and Services of a namespace, or began outside.

    Others stay, so that the programs of the cluster keep theirs.
    """
    what = [f"-f ipv{version} -s {cluster.plan.client(version)}" for version in cluster.plan.versions]
    for pod in cluster.kube.list("Pod", namespace):
        what += _of_pod(pod)
    for service in cluster.kube.list("Service", namespace):
        what += _to_service(service, cluster.plan.versions)
    # Its exit code is 1 where there is nothing to remove.
    script = "".join(f"conntrack -D {each} || true\n" for each in what)
    for node in cluster.nodes:
        node.run(["sh"], stdin=script)


def _of_pod(pod: Mapping[str, Any]) -> Iterator[str]:
    for each in pod["status"].get("podIPs", ()):
        yield f"{_family(each['ip'])} -s {each['ip']}"
        yield f"{_family(each['ip'])} -r {each['ip']}"


def _to_service(service: Mapping[str, Any], versions: tuple[int, ...]) -> Iterator[str]:
    spec = service["spec"]
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    addresses = [
        *spec.get("clusterIPs", ()),
        *spec.get("externalIPs", ()),
        *(each.get("ip") for each in entries),
    ]
    for address in addresses:
        if address not in {"None", None}:
            yield f"{_family(address)} -d {address}"
    for port in spec.get("ports", ()):
        if "nodePort" in port:
            for version in versions:
                yield f"-f ipv{version} -p {port['protocol'].lower()} --dport {port['nodePort']}"


def _family(address: str) -> str:
    return "-f ipv6" if ":" in address else "-f ipv4"
