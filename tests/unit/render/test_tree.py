"""The answer for people."""

import re
from dataclasses import replace

import pytest
from builders import answered, broken, cluster, healthy, questions, unknown

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.clouds import Arrival, Balancer, Statement
from kubectl_packetpath.render import FORMATS, Style
from kubectl_packetpath.trace import Hop


def lines(answer: Answer, form: str = "tree", *, colour: bool = False) -> list[str]:
    """What is printed."""
    return list(FORMATS[form](answer, Style(colour=colour)))


@pytest.mark.parametrize("answer", [healthy(), broken()])
def test_the_tree_fits_into_80_columns(answer: Answer) -> None:
    """The narrowest terminal that people use."""
    assert [line for line in lines(answer) if len(line) > 80] == []


def test_what_is_assumed_of_a_cloud_is_marked() -> None:
    """Beside what the cluster itself says, and within the terminal's width."""
    said = Statement(
        topic="provider", text="A cloud", certain=True, by="finalizer cloud.example.com/balancer"
    )
    assumed = Statement(topic="arrival", text="at the nodes", certain=False, by="its documentation")
    balancer = Balancer(provider="A cloud", arrival=Arrival.VIP, statements=(said, assumed))

    told = lines(replace(healthy(), balancer=balancer))

    assert told[:3] == [
        "Load balancer: A cloud",
        "  by       finalizer cloud.example.com/balancer",
        "  sends    assumed: at the nodes [its documentation]",
    ]


def test_nodes_that_agree_are_told_once() -> None:
    """One tree for three nodes."""
    told = lines(healthy())

    assert len([line for line in told if "ClusterIP 10.96.0.9:80/tcp" in line]) == 1
    assert "  same answer through node2, node3" in told


def test_a_node_that_differs_is_told_apart() -> None:
    """With the share that it loses, and in the summary."""
    told = lines(broken())

    assert "✘ ClusterIP 10.96.0.9:80/tcp  default/web:http  1/3 NO_ROUTE" in told
    assert told[-3:] == [
        "svc/web: 2 of 3 ways in arrive",
        "  ✘ ClusterIP 10.96.0.9:80/tcp  1/3 NO_ROUTE  node1",
        "  ✔ ClusterIP 10.96.0.9:80/tcp  arrives       node2 node3",
    ]


def test_a_loss_names_its_place_evidence_and_remedy() -> None:
    """What a tired engineer needs, in three lines."""
    told = lines(broken())
    place = next(number for number, line in enumerate(told) if "✘ NO_ROUTE no route" in line)

    assert told[place].split()[0] == "node1"
    assert [line.split(maxsplit=1) for line in told[place + 1 : place + 3]] == [
        ["route", "default via 172.30.1.1 dev eth0"],
        ["why", "node1 has no route to 10.244.3.3, the pods of node3"],
    ]


def test_each_branch_has_its_share_as_a_fraction() -> None:
    """Of new connections."""
    shares = [line.split()[1] for line in lines(healthy()) if line.startswith(("├─", "└─"))]

    assert shares == ["1/3", "1/3", "1/3"]


def test_one_line_for_each_hop() -> None:
    """A way over two nodes is client, node, node, server."""
    told = lines(healthy())
    start = next(number for number, line in enumerate(told) if line.startswith("└─"))

    assert [line.split()[0] for line in told[start + 1 :]] == ["node1", "node3", "web-3"]


def test_colour_only_where_it_is_wanted() -> None:
    """And nothing but colour differs."""
    plain, coloured = "\n".join(lines(broken())), "\n".join(lines(broken(), colour=True))

    assert "\x1b" not in plain
    assert plain == re.sub(r"\x1b\[[0-9;]*m", "", coloured)


def test_what_is_not_known_says_its_place() -> None:
    """Never a guess, never silence."""
    world = cluster()
    question = questions(world)[0]
    answer = Answer(target="svc/web", ways=(answered(question, unknown(question)),), cluster=world)

    text = " ".join(" ".join(lines(answer)).split())

    assert 'match "bpf" is not modelled' in text
    assert text.startswith("? ")


@pytest.mark.parametrize("form", list(FORMATS))
def test_names_cannot_command_the_terminal(form: str) -> None:
    """Interface names and pods' names are whatever somebody wrote."""
    evil = "x\x1b]0;owned\x07\x1b[2J\x9b31m\u202ey"
    answer = healthy()
    way = answer.ways[0]
    path = way.trace.paths[0]
    first = path.hops[0]
    hop = Hop(node=evil, namespace=evil, steps=tuple(replace(step, text=evil) for step in first.steps))
    trace = replace(way.trace, paths=(replace(path, hops=(hop, *path.hops[1:])),))
    answer = replace(answer, ways=(replace(way, trace=trace),), notes=(evil,), nodes_missing={evil: evil})

    text = "\n".join(lines(answer, form))

    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text) == []


def test_wide_shows_every_fact() -> None:
    """The very rule, with its counters."""
    text = " ".join(" ".join(lines(healthy(), "wide")).replace("│", " ").split())

    assert "-j DNAT --to-destination 10.244.1.3:8080 [7 packets]" in text


def test_mermaid_says_each_box_once() -> None:
    """A chart that a wiki draws."""
    told = lines(healthy(), "mermaid")
    boxes = [line.split("[")[0].split("(")[0].strip() for line in told if re.match(r" +n\d+[\[(]", line)]

    assert told[0] == "flowchart LR"
    assert len(boxes) == len(set(boxes))
