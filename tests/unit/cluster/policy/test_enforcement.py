"""Who enforces policies, by what the API and the nodes show."""

import json

import pytest

from kubectl_packetpath.cluster.model import DaemonSet
from kubectl_packetpath.cluster.policy.enforcement import NodeSigns, cni_types, enforcement
from kubectl_packetpath.cluster.policy.enforcers import ENFORCERS
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.cni import CniConfiguration


def daemonset(name: str, image: str, *flags: str) -> DaemonSet:
    """A DaemonSet in kube-system with one container."""
    return DaemonSet(namespace="kube-system", name=name, images=(image,), flags=flags)


PLAIN = NodeSigns(node="node1", tables=frozenset({"kube-proxy"}), devices=frozenset({"eth0", "cni0"}))


@pytest.mark.parametrize(
    ("image", "flags", "name", "followed"),
    [
        ("docker.io/calico/node:v3.28.5", (), "Calico", True),
        ("quay.io/cilium/cilium:v1.16", (), "Cilium", False),
        ("docker.io/cloudnativelabs/kube-router:v2.2", (), "kube-router", True),
        ("registry.k8s.io/networking/kube-network-policies:v0.6", (), "kube-network-policies", False),
        ("antrea/antrea-agent-ubuntu:v2.1", (), "Antrea", False),
        ("mcr.microsoft.com/containernetworking/azure-npm:v1.5", (), "Azure NPM", True),
        ("weaveworks/weave-npc:2.8", (), "Weave Net", True),
        ("602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/aws-network-policy-agent:v1.1",
         ("--enable-network-policy=true",), "AWS network policy agent", False),
    ],
)  # fmt: skip
def test_a_daemonset_gives_an_enforcer_away(
    image: str, flags: tuple[str, ...], name: str, *, followed: bool
) -> None:
    """By the image of a container."""
    found = enforcement((daemonset("it", image, *flags),), [PLAIN]).found

    assert [(each.enforcer.name, each.enforcer.visible) for each in found] == [(name, followed)]
    assert found[0].evidence == ("DaemonSet kube-system/it",)


@pytest.mark.parametrize(
    ("image", "flags"),
    [
        ("docker.io/flannel/flannel:v0.28", ()),
        ("docker.io/kindest/kindnetd:v20240202", ()),
        ("602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.19", ()),
        ("amazon/aws-network-policy-agent:v1.1", ("--enable-network-policy=false",)),
        ("cloudnativelabs/kube-router:v2.2", ("--run-firewall=false",)),
    ],
)
def test_a_network_alone_enforces_nothing(image: str, flags: tuple[str, ...]) -> None:
    """Nor does an agent that is told not to."""
    assert enforcement((daemonset("it", image, *flags),), [PLAIN]).found == ()


@pytest.mark.parametrize(
    ("signs", "name", "evidence"),
    [
        ({"chains": {"cali-FORWARD"}}, "Calico", "chain cali-FORWARD on node1"),
        ({"tables": {"calico"}}, "Calico", "table calico on node1"),
        ({"chains": {"KUBE-ROUTER-FORWARD"}}, "kube-router", "chain KUBE-ROUTER-FORWARD on node1"),
        ({"tables": {"kindnet-network-policies"}}, "kindnet", "table kindnet-network-policies on node1"),
        ({"devices": {"cilium_host"}}, "Cilium", "device cilium_host on node1"),
        ({"devices": {"ovn-k8s-mp0"}}, "OVN-Kubernetes", "device ovn-k8s-mp0 on node1"),
        ({"devices": {"antrea-gw0"}}, "Antrea", "device antrea-gw0 on node1"),
        ({"chains": {"AZURE-NPM"}}, "Azure NPM", "chain AZURE-NPM on node1"),
        ({"chains": {"WEAVE-NPC"}}, "Weave Net", "chain WEAVE-NPC on node1"),
        (
            {"devices": {"bpfin.cali"}, "chains": {"cali-FORWARD"}},
            "Calico eBPF",
            "device bpfin.cali on node1",
        ),
    ],
)
def test_a_node_gives_an_enforcer_away(signs: dict[str, set[str]], name: str, evidence: str) -> None:
    """Even one that no DaemonSet runs, as k3s has its own inside."""
    parts = {key: frozenset(signs.get(key, ())) for key in ("chains", "tables", "devices")}
    node = NodeSigns(node="node1", chains=parts["chains"], tables=parts["tables"], devices=parts["devices"])
    found = enforcement((), [node]).found

    assert [(each.enforcer.name, each.evidence) for each in found] == [(name, (evidence,))]


def test_a_network_without_policies_is_named() -> None:
    """By the configuration that the runtime uses."""
    node = NodeSigns(node="node1", cni=("flannel", "bridge", "portmap"))

    assert enforcement((), [node]).words == "nothing here enforces it (flannel and the bridge plugin do not)"


def test_what_could_not_be_looked_at_is_said() -> None:
    """Nobody was seen is not the same as nobody is there."""
    denied = Absent(why=Why.NOT_PERMITTED, detail="forbidden")

    assert (
        enforcement(denied, [PLAIN]).words == "no enforcer was seen, but DaemonSets were not read (forbidden)"
    )
    assert enforcement((), []).unseen == "no node was looked at"


def test_the_first_file_is_the_one_in_use() -> None:
    """As the container runtime sorts them; a file that is no JSON is passed over."""
    written = {"plugins": [{"type": "calico"}, {"type": "portmap"}]}
    files = (
        CniConfiguration(file="20-late.conf", text=json.dumps({"type": "bridge"})),
        CniConfiguration(file="10-first.conflist", text=json.dumps(written)),
        CniConfiguration(file="00-broken.conf", text="{"),
    )

    assert cni_types(files) == ("calico", "portmap")


def test_the_table_is_sorted() -> None:
    """So that a newcomer finds the place."""
    names = [each.name.lower() for each in ENFORCERS]

    assert names == sorted(names)
