"""A small cluster with policies, written as a person would: two namespaces, their pods, and a node for each."""

from collections.abc import Mapping
from ipaddress import ip_address
from textwrap import dedent
from typing import Any

import yaml

from kubectl_packetpath.cluster.model import Cluster, Pod
from kubectl_packetpath.cluster.objects import cluster_of
from kubectl_packetpath.cluster.policy.decide import decide
from kubectl_packetpath.cluster.policy.flow import Party, PolicyFlow
from kubectl_packetpath.cluster.policy.verdict import PolicyVerdict

KINDS = {
    "NetworkPolicy": "networkpolicies",
    "AdminNetworkPolicy": "adminnetworkpolicies",
    "BaselineAdminNetworkPolicy": "baselineadminnetworkpolicies",
    "ClusterNetworkPolicy": "clusternetworkpolicies",
}
HOME = """
namespaces:
- {metadata: {name: shop, labels: {team: red, env: prod}}}
- {metadata: {name: bank, labels: {team: blue, env: prod}}}
nodes:
- {metadata: {name: node1, labels: {disk: fast}}, status: {addresses: [{type: InternalIP, address: 172.30.1.11}]}}
- {metadata: {name: node2, labels: {}}, status: {addresses: [{type: InternalIP, address: 172.30.1.12}]}}
pods:
- metadata: {name: web, namespace: shop, labels: {app: web, tier: front}}
  spec:
    nodeName: node1
    containers: [{ports: [{name: http, containerPort: 80}, {name: dns, containerPort: 53, protocol: UDP}]}]
  status: {phase: Running, podIP: 10.244.1.2}
- metadata: {name: client, namespace: shop, labels: {app: client}}
  spec: {nodeName: node2}
  status: {phase: Running, podIP: 10.244.2.2}
- metadata: {name: teller, namespace: bank, labels: {app: client}}
  spec: {nodeName: node2, containers: [{ports: [{name: http, containerPort: 8080}]}]}
  status: {phase: Running, podIP: 10.244.2.3}
- metadata: {name: agent, namespace: shop, labels: {app: agent}}
  spec: {nodeName: node2, hostNetwork: true}
  status: {phase: Running, podIP: 172.30.1.12}
"""


def shop(policies: str, **changes: Any) -> Cluster:
    """The cluster with these policies, several apart by `---`."""
    objects: dict[str, Any] = yaml.safe_load(HOME) | {kind: [] for kind in KINDS.values()}
    for each in yaml.safe_load_all(dedent(policies)):
        if each:
            objects[KINDS[each.get("kind", "NetworkPolicy")]].append(each)
    return cluster_of({key: value for key, value in (objects | changes).items() if value is not None})


def party(cluster: Cluster, name: str) -> Party:
    """A pod `shop/web`, a node `node1`, or an address."""
    if "/" in name:
        namespace, _, own = name.partition("/")
        pod: Pod | None = cluster.pod(namespace, own)
        assert pod is not None
        return Party(address=pod.addresses[0], pod=pod, node=pod.node)
    node = cluster.node(name)
    if node is not None:
        return Party(address=node.address(4), node=name)
    return Party(address=ip_address(name))


def judge(cluster: Cluster, source: str, destination: str, port: str = "80/TCP") -> PolicyVerdict:
    """The verdict for a flow between two of them."""
    number, _, protocol = port.partition("/")
    flow = PolicyFlow(
        source=party(cluster, source),
        destination=party(cluster, destination),
        protocol=protocol,
        port=int(number),
    )
    return decide(flow, cluster)


def says(cluster: Cluster, *flow: str) -> str:
    """The verdict in a word."""
    return judge(cluster, *flow).says.value


def policy(spec: str, kind: str = "NetworkPolicy", name: str = "it") -> str:
    """A policy of namespace shop with this spec, in YAML's short form."""
    return f"{{kind: {kind}, metadata: {{name: {name}, namespace: shop}}, spec: {spec}}}\n---\n"


Objects = Mapping[str, Any]
