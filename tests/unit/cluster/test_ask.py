"""What a user may type."""

from dataclasses import replace

import pytest
from builders import cluster, service

from kubectl_packetpath.cluster.ask import (
    AskError,
    Target,
    TargetKind,
    find_pod,
    find_service,
    parse_start,
    parse_target,
    service_ports,
)
from kubectl_packetpath.cluster.model import ServicePort


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("svc/web", "service default web "),
        ("service/web:http", "service default web http"),
        ("svc/prod/web:80", "service prod web 80"),
        ("pod/x:8080", "pod default x 8080"),
        ("node/n1:22", "node default n1 22"),
    ],
)
def test_targets_by_name(text: str, expected: str) -> None:
    """A kind, a name and perhaps a port, as kubectl writes them."""
    target = parse_target(text, "default")

    assert expected == f"{target.kind} {target.namespace} {target.name} {target.port}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10.0.0.1:80", ("10.0.0.1", "80")), ("[fd00::1]:443", ("fd00::1", "443"))],
)
def test_targets_by_address(text: str, expected: tuple[str, str]) -> None:
    """An address needs a port, and IPv6 its brackets."""
    target = parse_target(text, "default")

    assert expected == (str(target.address), target.port)
    assert text == str(target)


@pytest.mark.parametrize(
    "text",
    [
        "web",
        "web.shop",
        "deploy/web",
        "ftp://x",
        "svc/We_b",
        "svc/web:0",
        "10.0.0.1",
        "fd00::1",
        "10.0.0.1:0",
        "10.0.0.1:70000",
        "node/n1",
        "",
    ],
)
def test_what_cannot_be_meant_is_refused_with_an_example(text: str) -> None:
    """Every refusal says what to type instead."""
    with pytest.raises(AskError) as refusal:
        parse_target(text, "default")

    assert refusal.value.remedy


@pytest.mark.parametrize(
    "text", ["outside", "outside:203.0.113.7", "outside:[2001:db8::7]", "pod/x", "node/n1"]
)
def test_starts(text: str) -> None:
    """A packet starts in a pod, on a node or outside."""
    assert parse_start(text, "default").kind in {TargetKind.OUTSIDE, TargetKind.POD, TargetKind.NODE}


@pytest.mark.parametrize("text", ["svc/web", "pod/x:80", "outside:nowhere", "10.0.0.1"])
def test_no_start(text: str) -> None:
    """A Service sends nothing, and a start has no port."""
    with pytest.raises(AskError):
        parse_start(text, "default")


def test_a_mistyped_service_is_suggested() -> None:
    """The name that is near."""
    target = Target(kind=TargetKind.SERVICE, namespace="default", name="wbe")

    with pytest.raises(AskError) as refusal:
        find_service(cluster(), target)

    assert "svc/web" in refusal.value.remedy


def test_a_service_of_another_namespace_is_suggested() -> None:
    """The most frequent mistake is a forgotten -n."""
    world = cluster(service(namespace="prod"))
    target = Target(kind=TargetKind.SERVICE, namespace="default", name="web")

    with pytest.raises(AskError) as refusal:
        find_service(world, target)

    assert refusal.value.remedy == "kubectl packetpath svc/web -n prod"


def test_a_pod_is_suggested_by_the_name_of_what_made_it() -> None:
    """People know an application, and not the letters behind its name."""
    target = Target(kind=TargetKind.POD, namespace="default", name="web")

    with pytest.raises(AskError) as refusal:
        find_pod(cluster(), target)

    assert refusal.value.remedy == "did you mean pod/web-1 or pod/web-2 or pod/web-3?"


def test_a_name_of_the_clusters_dns_is_read() -> None:
    """A Service by the name under which programs know it."""
    target = Target(kind=TargetKind.SERVICE, namespace="default", name="web.prod.svc.cluster.local")

    with pytest.raises(AskError) as refusal:
        find_service(cluster(service(namespace="prod")), target)

    assert refusal.value.remedy == "kubectl packetpath svc/web -n prod"


@pytest.mark.parametrize(
    ("recorded", "expected"), [(True, "the recording has svc/prod/web"), (False, "kubectl get svc -A")]
)
def test_where_nothing_is_near_it_is_said_where_to_look(recorded: bool, expected: str) -> None:
    """Of a recording kubectl knows nothing, so what it holds is named."""
    world = replace(cluster(service(namespace="prod")), recorded=recorded)
    target = Target(kind=TargetKind.SERVICE, namespace="default", name="payments")

    with pytest.raises(AskError) as refusal:
        find_service(world, target)

    assert refusal.value.remedy == expected


@pytest.mark.parametrize(("port", "expected"), [("", ["http", "dns"]), ("http", ["http"]), ("53", ["dns"])])
def test_ports_by_number_or_name(port: str, expected: list[str]) -> None:
    """No port means all of them."""
    ports = (ServicePort(name="http", port=80), ServicePort(name="dns", port=53, protocol="UDP"))
    target = Target(kind=TargetKind.SERVICE, namespace="default", name="web", port=port)

    found = service_ports(service(ports=ports), target, "")

    assert expected == [each.name for each in found]


def test_a_port_that_is_not_offered_is_refused_with_those_that_are() -> None:
    """The Service's own list helps."""
    target = Target(kind=TargetKind.SERVICE, namespace="default", name="web", port="81")

    with pytest.raises(AskError) as refusal:
        service_ports(service(), target, "")

    assert "http (80/TCP)" in refusal.value.remedy
