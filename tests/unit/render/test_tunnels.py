"""A packet inside of another one, in each picture of it."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from builders import answered, cluster, delivered, packet_of, questions
from jsonschema import Draft202012Validator
from unit.render.test_machine import SCHEMA

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.packet import UDP, Packet
from kubectl_packetpath.render import FORMATS, Style
from kubectl_packetpath.render.machine import document
from kubectl_packetpath.trace import Step, StepKind


def tunnelled() -> Answer:
    """The second hop wraps the packet into VXLAN."""
    world = cluster()
    question = questions(world)[0]
    path = delivered(question, 2)
    inner = replace(packet_of(question), source_mac="02:00:00:00:00:0a", destination_mac="02:00:00:00:00:0b")
    outer = Packet(
        source=ip_address("172.30.1.11"),
        destination=ip_address("172.30.1.12"),
        protocol=UDP,
        sport=51000,
        sport_chosen=True,
        dport=8472,
        inner=inner,
        encapsulation="vxlan",
        vni=1,
        size_bytes=110,
        destination_mac="02:00:00:00:01:0b",
        source_mac="02:00:00:00:01:0a",
    )
    text = "flannel.1 wraps it (vxlan 1): 172.30.1.11 → 172.30.1.12 port 8472"
    step = Step(kind=StepKind.ENCAPSULATED, text=text, before=inner, after=outer)
    hop = replace(path.hops[1], steps=(*path.hops[1].steps, step))
    path = replace(path, hops=(path.hops[0], hop, *path.hops[2:]))
    return Answer(target="svc/web", ways=(answered(question, path),), cluster=world)


def test_json_nests_the_packets() -> None:
    """With both pairs of link addresses, the identifier and the length."""
    told: dict[str, Any] = document(tunnelled())

    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(told)] == []
    after = told["paths"][0]["hops"][1]["steps"][-1]["after"]
    assert (after["encapsulation"], after["vni"], after["size_bytes"]) == ("vxlan", 1, 110)
    assert (after["source_mac"], after["inner"]["source_mac"]) == ("02:00:00:00:01:0a", "02:00:00:00:00:0a")
    assert (after["sport"], after["dport"]) == (None, 8472)


def test_mermaid_writes_both_headers_on_the_arrow() -> None:
    """Outer and inner, each with its link addresses."""
    told = "\n".join(FORMATS["mermaid"](tunnelled(), Style()))

    assert "udp 172.30.1.11 → 172.30.1.12:8472 [02:00:00:00:01:0a → 02:00:00:00:01:0b], vxlan 1 / tcp" in told
    assert "[02:00:00:00:00:0a → 02:00:00:00:00:0b]" in told


def test_the_tree_names_the_tunnel() -> None:
    """In the line of the node that wraps it."""
    told = " ".join(" ".join(FORMATS["tree"](tunnelled(), Style())).split())

    assert "flannel.1 wraps it (vxlan 1): 172.30.1.11 → 172.30.1.12 port 8472" in told
