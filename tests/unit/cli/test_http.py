"""Questions about HTTP requests, to a recording of a real cluster."""

import json
from pathlib import Path
from typing import Any

import pytest
from http_routing.recordings import DEMO, path, with_gateway, with_ingress
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from kubectl_packetpath.cli.app import app


def run(file: Path, *words: str) -> Result:
    """The command."""
    return CliRunner().invoke(app, [*words, "-n", "demo", "--bundle", str(file)])


def told(file: Path, *words: str) -> dict[str, Any]:
    """Its JSON."""
    found: dict[str, Any] = json.loads(run(file, *words, "-o", "json").stdout)
    return found


def ends(connection: dict[str, Any]) -> set[str]:
    """How the ways of a connection end."""
    answer = connection["answer"]
    return {way["verdict"] for way in answer.get("ways", [answer])}


def test_an_ingress_is_two_connections(tmp_path: Path) -> None:
    """From outside to the proxy by its Service, and from each proxy to each endpoint."""
    found = told(with_ingress(tmp_path), "ingress/shop")

    (request,) = found["requests"]
    assert found["end"] == "arrived"
    assert request["decision"]["chosen"]["rule"] == "shop.test / (Prefix)"
    assert [each["title"] for each in request["connections"]] == [
        "from the client to the proxy, port 80",
        "from the proxy to the backend",
    ]
    assert [ends(each) for each in request["connections"]] == [{"DELIVERED"}, {"DELIVERED"}]
    assert {way["question"]["way"] for way in request["connections"][0]["answer"]["ways"]} == {"NodePort"}
    backends = {way["question"]["destination"] for way in request["connections"][1]["answer"]["ways"]}
    assert len(backends) == 3


def test_a_backend_that_does_not_listen_is_found(tmp_path: Path) -> None:
    """The proxy is reached, and cannot reach further: exit code 1."""
    file = with_ingress(tmp_path, path("/", "web"), path("/broken", "broken", port="http"))

    (request,) = told(file, "https://shop.test/broken".replace("https", "http"))["requests"]

    assert [ends(each) for each in request["connections"]] == [{"DELIVERED"}, {"REFUSED"}]
    assert run(file, "http://shop.test/broken").exit_code == 1


def test_a_service_without_endpoints_is_answered_by_the_proxy(tmp_path: Path) -> None:
    """With 503, and there is no second connection."""
    file = with_ingress(tmp_path, path("/", "empty", port="http"))

    found = run(file, "ingress/shop")

    assert found.exit_code == 1
    assert "answered with 503 by the proxy" in found.stdout
    assert "no endpoint of Service demo/empty is ready" in " ".join(found.stdout.split())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("http://other.test/",), "the host is other.test"),
        (
            ("ingress/shop", "--host", "shop.test", "--path", "/nope"),
            "/nope does not match, compared exactly",
        ),
    ],
)
def test_no_rule_says_why(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    """404, with the reason beside each rule."""
    file = with_ingress(tmp_path, path("/only", "web", "Exact"))

    (request,) = told(file, *words)["requests"]

    assert (request["decision"]["status"], request["end"]) == (404, "lost")
    assert why in [rule["why"] for rule in request["decision"]["rules"]]


def test_a_class_that_does_not_exist(tmp_path: Path) -> None:
    """Nobody applies the Ingress."""
    found = run(with_ingress(tmp_path, class_name="nope"), "ingress/shop")

    assert found.exit_code == 1
    assert "there is no IngressClass nope" in " ".join(found.stdout.split())


def test_a_recording_holds_no_secrets(tmp_path: Path) -> None:
    """So what is known of TLS is which Secret is named."""
    file = with_ingress(tmp_path, tls=[{"hosts": ["shop.test"], "secretName": "s"}])

    (request,) = told(file, "https://shop.test/")["requests"]

    assert request["tls"]["unknown"] == "Secret demo/s could not be read: a recording holds no Secrets"
    assert request["decision"]["result"] == "forwarded"


def test_weights_are_told_as_probabilities(tmp_path: Path) -> None:
    """Of the backends of an HTTPRoute."""
    refs = [{"name": "web", "port": 80, "weight": 3}, {"name": "broken", "port": 80, "weight": 1}]

    (request,) = told(with_gateway(tmp_path, {"backendRefs": refs}), "httproute/shop")["requests"]

    assert [each["weight"] for each in request["decision"]["backends"]] == [0.75, 0.25]
    assert ends(request["connections"][1]) == {"DELIVERED", "REFUSED"}


@pytest.mark.parametrize("target", ["gateway/edge", "httproute/shop", "http://shop.test/"])
def test_a_route_is_found_by_any_name(tmp_path: Path, target: str) -> None:
    """By the Gateway, by the route and by the URL."""
    file = with_gateway(tmp_path, {"backendRefs": [{"name": "web", "port": 80}]})

    (request,) = told(file, target)["requests"]

    assert (request["decision"]["chosen"]["kind"], request["end"]) == ("HTTPRoute", "arrived")


def test_a_redirect_ends_at_the_proxy(tmp_path: Path) -> None:
    """With the place to go to."""
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}

    found = run(with_gateway(tmp_path, {"filters": [redirect]}), "httproute/shop")

    assert "301 to https://shop.test/" in found.stdout
    assert found.exit_code == 0


def test_a_route_that_is_not_attached_says_why(tmp_path: Path) -> None:
    """Here it names a section that does not exist."""
    file = with_gateway(tmp_path, {"backendRefs": [{"name": "web", "port": 80}]}, parent={"sectionName": "x"})

    (request,) = told(file, "httproute/shop")["requests"]

    assert [rule["why"] for rule in request["decision"]["rules"]] == ["the route names section x"]


def test_headers_and_methods_are_sent(tmp_path: Path) -> None:
    """As said on the command line."""
    match = {"headers": [{"name": "version", "value": "two"}], "method": "POST"}
    rule = {"matches": [match], "backendRefs": [{"name": "web", "port": 80}]}
    words = ("http://shop.test/", "--method", "post", "--header", "Version: two")

    (request,) = told(with_gateway(tmp_path, rule), *words)["requests"]

    assert request["decision"]["result"] == "forwarded"


def test_a_name_of_the_cluster_is_resolved_as_the_pod_does(tmp_path: Path) -> None:
    """Each name that is asked for, by the pod's own file; then the ways to the server and to the Service."""
    (request,) = told(with_ingress(tmp_path), "http://web.demo/", "--from", "pod/client")["requests"]

    assert [each["code"] for each in request["dns"]["asked"]] == ["NXDOMAIN", "NOERROR"]
    assert request["dns"]["questions"] == 4
    assert (request["dns"]["resolver"]["from_file"], request["dns"]["resolver"]["node"]) == (True, "node1")
    assert [each["title"] for each in request["connections"]] == [
        "to the nameserver 10.96.0.10",
        "to Service demo/web",
    ]
    assert ends(request["connections"][1]) == {"DELIVERED"}


def test_a_cluster_without_dns_is_seen_from_the_pod(tmp_path: Path) -> None:
    """Its file names an address that no node translates: the question leaves the cluster, and no name is found."""
    found = told(with_ingress(tmp_path), "http://web.demo/", "--from", "pod/client")

    assert ends(found["requests"][0]["connections"][0]) == {"LEFT_CLUSTER"}
    assert found["end"] == "lost"


def test_a_final_dot_spares_questions(tmp_path: Path) -> None:
    """Nothing is added to such a name."""
    words = ("http://web.demo.svc.cluster.local./", "--from", "pod/client")

    (request,) = told(with_ingress(tmp_path), *words)["requests"]

    assert [each["name"] for each in request["dns"]["asked"]] == ["web.demo.svc.cluster.local"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ingress/nope",), "There is no Ingress nope"),
        (("gateway/nope",), "Gateways could not be read"),
        (("ingress/shop", "--header", "nonsense"), "is no header"),
        (("ingress/We_b",), "is not a name that Kubernetes allows"),
        (("ingress",), "needs a name"),
        (("http://shop.test/", "--path", "cart"), "begins with a slash"),
        (("http://shop.test/", "--path", "/cart?id=1"), "more than a path"),
        (("http://shop.test/", "--node", "nowhere"), "There is no node nowhere"),
        (("http://shop.test/", "--from", "node/nowhere"), "There is no node nowhere"),
        (("ingress/shop", "--from", "pod/nobody"), "There is no pod nobody"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """With exit code 2."""
    found = run(with_ingress(tmp_path), *words)

    assert found.exit_code == 2
    assert said in found.stderr


def test_a_recording_from_before_says_so() -> None:
    """It was saved without Ingresses."""
    found = run(DEMO, "ingress/shop")

    assert found.exit_code == 2
    assert "holds no Ingresses" in found.stderr


def test_the_chart_has_both_connections(tmp_path: Path) -> None:
    """With the decision between them."""
    found = run(with_ingress(tmp_path), "ingress/shop", "-o", "mermaid").stdout

    assert found.startswith("flowchart LR")
    assert "s0c0 --> s0d" in found
    assert "s0d --> s0c1" in found


def test_the_same_way_in_is_told_once(tmp_path: Path) -> None:
    """Of an Ingress with several paths."""
    found = run(with_ingress(tmp_path, path("/", "web"), path("/b", "web")), "ingress/shop").stdout

    assert found.count("as above: ✔ arrives") == 2


@pytest.mark.parametrize(
    "words",
    [
        ("ingress/shop",),
        ("https://shop.test/",),
        ("http://nowhere.test/",),
        ("http://web.demo/", "--from", "pod/client"),
    ],
)
def test_every_answer_fits_the_schema(tmp_path: Path, words: tuple[str, ...]) -> None:
    """That docs/packetpath.schema.json documents."""
    schema = json.loads((DEMO.parent / "packetpath.schema.json").read_text())
    file = with_ingress(tmp_path, tls=[{"hosts": ["shop.test"], "secretName": "s"}])

    assert [each.message for each in Draft202012Validator(schema).iter_errors(told(file, *words))] == []


@pytest.mark.parametrize("target", ["ingress/shop", "gateway/edge", "httproute/shop", "https://shop.test/"])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--mtu"], "--mtu"),
        (["--size", "60"], "--size"),
        (["--size", "1400", "--mtu"], "--size and --mtu"),
        (["--protocol", "udp"], "--protocol"),
    ],
)
def test_what_is_asked_of_packets_is_not_for_requests(
    tmp_path: Path, target: str, options: list[str], named: str
) -> None:
    """They are refused before anything is read, with what to ask instead."""
    found = run(tmp_path / "never-read", target, *options)

    assert (found.exit_code, found.stdout) == (2, "")
    assert f"error: {target} asks about HTTP requests, and {named} can only be asked of" in found.stderr
    assert f"try: kubectl packetpath svc/NAME with {named}" in found.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--host", "a.example.com"], "--host"),
        (["--path", "/a", "--method", "PUT"], "--path and --method"),
        (["--header", "a: b"], "--header"),
    ],
)
def test_what_is_asked_of_requests_is_not_for_packets(tmp_path: Path, options: list[str], named: str) -> None:
    """Likewise."""
    found = run(tmp_path / "never-read", "svc/web", *options)

    assert (found.exit_code, found.stdout) == (2, "")
    assert (
        f"error: svc/web asks about packets, and {named} can only be asked of HTTP requests." in found.stderr
    )
    assert f"try: kubectl packetpath ingress/NAME with {named}" in found.stderr
