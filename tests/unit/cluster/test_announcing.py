"""Which nodes a load balancer's address leads to."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, service

from kubectl_packetpath.cluster.announcing import KUBE_VIP, POOL, announced
from kubectl_packetpath.cluster.ask import Target, TargetKind
from kubectl_packetpath.cluster.model import Announcement, BalancerAddress, Cluster, ServicePort
from kubectl_packetpath.cluster.question import Question, Wish
from kubectl_packetpath.cluster.ways import expand
from kubectl_packetpath.snapshot.absent import Absent, Why

ADDRESS = ip_address("192.0.2.9")
WEB = Target(kind=TargetKind.SERVICE, namespace="default", name="web")


def world(*announcements: Announcement, annotation: tuple[str, str] = (POOL, "office")) -> Cluster:
    """A Service with an address of a pool, and who announces it."""
    port = ServicePort(name="http", port=80, node_port=30080, target_port="http")
    web = service(
        type="LoadBalancer",
        ports=(port,),
        balancer=(BalancerAddress(address=ADDRESS),),
        annotations=(annotation,),
    )
    return replace(cluster(web), announcements=announcements)


def by(node: str, **given: object) -> Announcement:
    """An announcement of the Service by a node."""
    plain = Announcement(namespace="default", name="web", node=node, source=f"ServiceL2Status l2-{node}")
    return replace(plain, **given)  # type: ignore[arg-type]


def balanced(given: Cluster, nodes: tuple[str, ...] = ()) -> list[Question]:
    """The ways by the balancer's address."""
    questions = expand(given, Wish(target=WEB, nodes=nodes)).questions
    return [each for each in questions if each.way == "LoadBalancer"]


def test_only_the_node_that_announces_it_is_asked() -> None:
    """The others get no packets for the address."""
    given = world(by("node2"))

    assert [each.start.node for each in balanced(given)] == ["node2"]
    assert "speaker on node2 answers ARP" in " ".join(expand(given, Wish(target=WEB)).notes)


def test_a_node_that_the_user_names_is_asked_all_the_same() -> None:
    """Such as the one that would take over."""
    assert [each.start.node for each in balanced(world(by("node2")), ("node1",))] == ["node1"]


def test_all_nodes_with_sessions_are_asked() -> None:
    """Routers spread connections over them."""
    given = world(by("node1", how="BGP", peers=("tor",)), by("node3", how="BGP", peers=("tor",)))

    assert [each.start.node for each in balanced(given)] == ["node1", "node3"]
    assert "announces the address by BGP to tor" in announced(given, given.services[0]).words


def test_an_address_that_nobody_announces_leads_nowhere() -> None:
    """One way, through no node."""
    (way,) = balanced(world(by("node1", name="other")))

    assert way.start.node == ""
    assert "no node announces it" in way.nowhere


@pytest.mark.parametrize("stale", [by("node9"), by("node1", speaker_ready=False)])
def test_what_may_be_out_of_date_decides_nothing(stale: Announcement) -> None:
    """A node that is gone, or a speaker that is not ready: all nodes are asked, and the doubt is told."""
    given = world(stale)

    assert [each.start.node for each in balanced(given)] == ["node1", "node2", "node3"]
    assert announced(given, given.services[0]).words.startswith("who announces the address is not certain")


def test_objects_that_may_not_be_read_decide_nothing() -> None:
    """All nodes are asked, and why is told."""
    given = replace(world(), announcements=Absent(why=Why.NOT_PERMITTED, detail="forbidden"))

    assert len(balanced(given)) == 3
    assert announced(given, given.services[0]).words.endswith("is not known: forbidden")


def test_other_balancers_are_not_met_with_suspicion() -> None:
    """An address without MetalLB's annotation may come in by any node."""
    given = world(annotation=("other", ""))

    assert len(balanced(given)) == 3
    assert announced(given, given.services[0]).words == ""


def test_the_annotation_of_kube_vip_names_the_node() -> None:
    """Which is the one that has the address on a device of its own."""
    given = world(annotation=(KUBE_VIP, "node3"))

    assert [each.start.node for each in balanced(given)] == ["node3"]
