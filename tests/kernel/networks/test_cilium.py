"""Pods of Cilium: where its programs sit, nothing is certain, and the walk says so at that very place.

The node's state is what these files of cilium/cilium make, and how `ip` prints it:
- pkg/datapath/loader: the veth pair cilium_host and cilium_net, programs at lxc…, cilium_host, cilium_net and the node's
  own devices; by tcx since 1.16 on kernels that have it (pkg/datapath/loader/tcx.go), else at clsact;
- pkg/datapath/linux/node.go: `podCIDR via the router's address dev cilium_host src the router's address`;
- plugins/cilium-cni and pkg/datapath/linux/routing: the pod's default route by the router's address, and with
  `endpointRoutes.enabled` the node's route to each pod;
- pkg/datapath/linux/linux_defaults: ip rules 9 (to the proxy), 10 (from it), 100 (local).
The real programs may answer, translate, redirect or drop; here one passes all, and one drops all.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from ipaddress import ip_address

import pytest
from kernel.lab import Lab, LabNode, assumptions, lab, question
from kernel.networks.agreement import assert_agrees, tell
from kernel.networks.pods import digest_of, mac_of
from kernel.networks.programs import clsact, tcx

from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.trace import StepKind, Trace, Verdict
from kubectl_packetpath.walk.cluster import Cluster, Place, PlaceKind, Query, trace
from kubectl_packetpath.walk.underlay import Underlay
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel

Attach = Callable[..., AbstractContextManager[None]]
ROUTER, NODE, NEXT = "10.244.1.228", "172.18.0.3", "172.18.0.1"
PODS = {"client": "10.244.1.10", "server": "10.244.1.11"}
SERVICE = "10.96.0.10"


def veth(pod: str) -> str:
    """The host's end of a pod's veth."""
    return f"lxc{digest_of(pod)}"


@pytest.fixture(scope="module")
def node() -> Iterator[Lab]:
    """A node with two pods, without any program yet."""
    with lab("cilium") as made:
        made.add("host-cilium", *PODS, "outside")
        host = made["host-cilium"]
        host.ip(
            "link add cilium_host type veth peer name cilium_net",
            "link set cilium_net up",
            "link set cilium_host up",
            f"addr add {ROUTER}/32 dev cilium_host",
            f"route add {ROUTER} dev cilium_host scope link proto kernel",
            f"route add 10.244.1.0/24 via {ROUTER} dev cilium_host src {ROUTER} proto kernel",
            "rule add priority 9 fwmark 0x200/0xf00 table 2004",
            "rule add priority 10 fwmark 0xa00/0xf00 table 2005",
            "rule add priority 100 table local",
            "rule del priority 0",
        )
        made.connect(("host-cilium", "eth0"), ("outside", "eth0"))
        host.ip(f"addr add {NODE}/16 dev eth0", f"route add default via {NEXT}")
        made["outside"].ip(f"addr add {NEXT}/16 dev eth0", f"route add 10.244.1.0/24 via {NODE}")
        for pod, address in PODS.items():
            made.connect(("host-cilium", veth(pod)), (pod, "eth0"))
            made[pod].ip(
                f"addr add {address}/32 dev eth0",
                f"route add {ROUTER} dev eth0 scope link",
                f"route add default via {ROUTER} dev eth0",
                f"neigh add {ROUTER} lladdr {mac_of(made, 'host-cilium', veth(pod))} dev eth0 nud permanent",
            )
            host.ip(f"route add {address} dev {veth(pod)} scope link proto kernel")
        host.sysctls({"net/ipv4/ip_forward": 1})
        for name in ("server", "outside"):
            made.serve(name, "tcp:80")
        yield made


def traced(made: Lab, pod: str, target: str) -> Trace:
    """What is said of a packet, answer included."""
    node = LabNode("cilium", made.namespaces)
    place = Place(kind=PlaceKind.POD, node="cilium", pod=PodReference(namespace="lab", name=pod))
    try:
        cluster = Cluster(nodes={"cilium": node}, underlay=Underlay(nodes={ip_address(NODE): "cilium"}))
        return trace(Query(title="", place=place, packet=question(target, 80)), cluster)
    finally:
        node.close()


def test_without_programs_the_routes_decide(node: Lab) -> None:
    """All that is uncertain comes from the programs: this very node is certain without them."""
    assert assert_agrees(node, "client", PODS["server"], 80).result == ("reached", "server", PODS["client"])
    assert traced(node, "client", PODS["server"]).verdict is Verdict.DELIVERED


@pytest.mark.parametrize("attach", [clsact, tcx])
@pytest.mark.parametrize("drops", [False, True], ids=["passes", "drops"])
def test_a_program_at_the_pods_device(node: Lab, attach: Attach, *, drops: bool) -> None:
    """Two programs, two fates, one answer: not known, from the host's end of the pod's veth on."""
    with attach(node["host-cilium"], veth("client"), drops=drops):
        seen = node.reach("client", PODS["server"], 80, seconds=0.5 if drops else 5.0)["result"]
        told = traced(node, "client", PODS["server"])

    (path,) = told.paths
    before, there = path.hops[:2]
    assert seen == ("timeout" if drops else "reached")
    assert told.verdict is Verdict.UNKNOWN
    assert path.assumed[0] == f"cilium {veth('client')}: a tc program is not modelled"
    assert (before.namespace, there.namespace) == ("lab/client", "host")
    assert all(step.kind is not StepKind.ASSUMED for step in before.steps)
    assert [step.kind for step in there.steps[:2]] == [StepKind.RECEIVED, StepKind.ASSUMED]


def test_a_program_at_the_receivers_device(node: Lab) -> None:
    """Up to the receiver's veth the way is told; the answer has its program at once."""
    with clsact(node["host-cilium"], veth("server"), drops=False):
        told = traced(node, "client", PODS["server"])

    (path,) = told.paths
    assert told.verdict is Verdict.UNKNOWN
    assert path.assumed == (f"cilium {veth('server')}: a tc program is not modelled",)
    assert [hop.namespace for hop in path.hops] == ["lab/client", "host", "lab/server"]


@pytest.mark.parametrize("device", ["cilium_host", "cilium_net"])
def test_a_program_behind_the_routers_address(node: Lab, device: str) -> None:
    """A pod that has no route of its own is sought behind cilium_host, where programs alone know the way."""
    with clsact(node["host-cilium"], device, drops=False):
        said = tell(node, "host-cilium", "10.244.1.99", 80).asked

    assert said.weight is None
    assert assumptions(said)[0] == f"cilium {device}: a tc program is not modelled"


def test_a_service_that_only_programs_know(node: Lab) -> None:
    """Without kube-proxy no rule translates a service's address, but the pod's program may: it is not known."""
    with clsact(node["host-cilium"], veth("client"), drops=False):
        told = traced(node, "client", SERVICE)

    assert told.verdict is Verdict.UNKNOWN
    assert all(path.weight is None for path in told.paths)


def test_programs_of_another_namespace_do_not_matter(node: Lab) -> None:
    """The same number of a device in another namespace is another device."""
    other: Namespace = node["outside"]
    with tcx(other, "eth0", drops=False):
        assert traced(node, "client", PODS["server"]).verdict is Verdict.DELIVERED
