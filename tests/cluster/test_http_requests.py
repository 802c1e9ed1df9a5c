"""Real requests through MetalLB and Envoy: where they go, whom each side sees, which certificate is shown.

Each fault is made on the cluster, seen by a client outside, and named by the program with its exit code.
"""

import base64
import hashlib
import json
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.edge import SPACE, Edge, Got, Sent, set_edge
from cluster.prediction import packetpath
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testbed.addons import contour
from testbed.addons.parts import wait_ready
from testbed.cluster import Cluster
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge")]
CLIENT = "198.51.100.2"
ROLE = Path(__file__).parents[2] / "manifests" / "client-role.yaml"
REQUESTS = 200
EVERYWHERE = {"namespaces": {"from": "All"}}
HTTP = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": EVERYWHERE}
PARENT = {"namespace": contour.NAMESPACE, "name": contour.GATEWAY}
CERTIFICATE_OF = """
import socket, ssl, sys
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
try:
    plain = socket.create_connection((sys.argv[1], 443), 5)
    with context.wrap_socket(plain, server_hostname=sys.argv[2]) as link:
        print(link.getpeercert(True).hex())
except OSError as error:
    print("none")
"""


@pytest.fixture
def edge(cluster: Cluster) -> Edge:
    """The proxies, without any rules, and two Services `one` and `two`."""
    found = set_edge(cluster)
    found.clear()
    found.listeners([HTTP])
    found.services(["one", "two"])
    return found


def path(service: str, value: str = "/", kind: str = "Prefix", port: int = 80) -> dict[str, Any]:
    """One path of an Ingress."""
    return {
        "path": value,
        "pathType": kind,
        "backend": {"service": {"name": service, "port": {"number": port}}},
    }


def ingress(edge: Edge, *paths: dict[str, Any], **spec: Any) -> None:
    """An Ingress `shop` for shop.test."""
    rules = [{"host": "shop.test", "http": {"paths": list(paths)}}]
    edge.cluster.kube.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"namespace": SPACE, "name": "shop"},
            "spec": {"ingressClassName": "contour", "rules": rules} | spec,
        }
    )


def route(edge: Edge, *rules: dict[str, Any], **parent: Any) -> None:
    """An HTTPRoute `shop` for shop.test."""
    edge.cluster.kube.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"namespace": SPACE, "name": "shop"},
            "spec": {
                "parentRefs": [PARENT | parent],
                "hostnames": ["shop.test"],
                "rules": list(rules),
            },
        }
    )


def get(edge: Edge, value: str = "/", host: str = "shop.test") -> Got:
    """One request from outside."""
    return edge.send([Sent(url="", host=host, path=value)])[0]


def wait_for(edge: Edge, status: int, value: str = "/", host: str = "shop.test") -> None:
    """Until Envoy answers so."""
    wait_until(f"Envoy answers {status}", lambda: get(edge, value, host).status == status, timeout_seconds=20)


def told(edge: Edge, *words: str, expect: int) -> dict[str, Any]:
    """The first request that the program tells of."""
    said = packetpath(edge.cluster, *words, "-n", SPACE, expect=expect)
    return dict(json.loads(said.out)["requests"][0])


def ways(connection: dict[str, Any]) -> list[dict[str, Any]]:
    """The ways of a connection."""
    answer = connection["answer"]
    return list(answer.get("ways", [answer]))


def test_requests_are_shared_by_the_weights_that_are_told(edge: Edge) -> None:
    """200 real requests, within what chance allows."""
    refs = [{"name": "one", "port": 80, "weight": 3}, {"name": "two", "port": 80, "weight": 1}]
    route(edge, {"backendRefs": refs})
    wait_for(edge, 200)

    request = told(edge, "httproute/shop", expect=0)
    got = Counter(each.body for each in edge.send([Sent(url="", host="shop.test", path="/")] * REQUESTS))

    shares = {each["name"]: each["weight"] for each in request["decision"]["backends"]}
    assert shares == {"one": 0.75, "two": 0.25}
    spread = 4.5 * math.sqrt(0.75 * 0.25 / REQUESTS)
    assert set(got) == {"server-0", "server-1"}
    assert abs(got["server-0"] / REQUESTS - 0.75) < spread


def test_the_client_that_each_side_sees(edge: Edge) -> None:
    """The backend sees the proxy, and in X-Forwarded-For whom the proxy saw."""
    server = Server(name="echo", namespace=SPACE)
    edge.cluster.kube.apply(server.pod(), server.service())
    ingress(edge, path("echo"))
    wait_for(edge, 200, "/clientip")

    words = ("http://shop.test/", "--from", f"outside:{CLIENT}")
    request = told(edge, *words, expect=0)
    seen = {get(edge, "/clientip").body.rpartition(":")[0] for _ in range(20)}
    forwarded = get(edge, "/header?key=X-Forwarded-For").body

    into, onward = request["connections"]
    proxies = {each["packet"]["source"] for way in ways(onward) for each in way["paths"]}
    balanced = [way for way in ways(into) if way["question"]["way"] == "LoadBalancer"]
    clients = {each["packet"]["source"] for way in balanced for each in way["paths"]}
    assert seen <= proxies
    assert {forwarded} == clients == {CLIENT}


def test_a_service_without_ready_endpoints(edge: Edge) -> None:
    """503 from Envoy, and the program says why."""
    spec = {"selector": {"app": "nobody"}, "ports": [{"name": "http", "port": 80}]}
    meta = {"namespace": SPACE, "name": "empty"}
    edge.cluster.kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    ingress(edge, path("empty"))
    wait_for(edge, 503)

    request = told(edge, "ingress/shop", expect=1)

    assert request["decision"]["status"] == 503
    assert f"no endpoint of Service {SPACE}/empty is ready" in request["decision"]["reason"]


OFFERS = "it offers: http (80/TCP), also (8080/TCP)"


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        ([path("gone")], f"left out by the controller: there is no Service {SPACE}/gone"),
        (
            [path("one", port=81)],
            f"left out by the controller: Service {SPACE}/one has no port 81 ({OFFERS})",
        ),
        ([path("one", "/other")], "/ does not match, compared by elements"),
    ],
)
def test_a_rule_that_takes_nothing(edge: Edge, paths: list[dict[str, Any]], why: str) -> None:
    """404 from Envoy, and the reason beside the rule."""
    ingress(edge, path("two", "/works"), *paths)
    wait_for(edge, 200, "/works")

    request = told(edge, "http://shop.test/", expect=1)

    assert get(edge).status == request["decision"]["status"] == 404
    assert why in [rule["why"] for rule in request["decision"]["rules"]]


def test_another_host(edge: Edge) -> None:
    """404 from Envoy, with the host as the reason."""
    ingress(edge, path("one"))
    wait_for(edge, 200)

    request = told(edge, "http://other.test/", expect=1)

    assert get(edge, host="other.test").status == request["decision"]["status"] == 404
    assert request["decision"]["rules"][0]["why"] == "the host is other.test"


def test_a_class_that_does_not_exist(edge: Edge) -> None:
    """Nobody applies the Ingress."""
    ingress(edge, path("one"), ingressClassName="nope")

    request = told(edge, "ingress/shop", expect=1)

    assert "there is no IngressClass nope" in request["decision"]["reason"]
    wait_until("nobody answers", lambda: get(edge).status is None)


def test_a_listener_that_does_not_exist(edge: Edge) -> None:
    """The route is attached nowhere; and for a Gateway without routes Contour gives Envoy nothing to listen for."""
    route(edge, {"backendRefs": [{"name": "one", "port": 80}]}, sectionName="nope")
    wait_until("nobody answers", lambda: get(edge).status is None)

    request = told(edge, "httproute/shop", expect=1)

    assert [rule["why"] for rule in request["decision"]["rules"]] == ["the route names section nope"]
    assert {way["verdict"] for way in ways(request["connections"][0])} == {"REFUSED"}


def test_a_backend_in_another_namespace(edge: Edge) -> None:
    """500 without a ReferenceGrant, and 200 with it."""
    kube = edge.cluster.kube
    spec = {"selector": {"app": "envoy"}, "ports": [{"port": 80, "targetPort": 8002}]}
    meta = {"namespace": contour.NAMESPACE, "name": "stats"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    grant = {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": meta,
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": SPACE}],
            "to": [{"group": "", "kind": "Service"}],
        },
    }
    kube.delete(grant)
    kube.apply(service)
    route(edge, {"backendRefs": [{"name": "stats", "namespace": contour.NAMESPACE, "port": 80}]})
    wait_for(edge, 500, "/ready")

    refused = told(edge, "http://shop.test/ready", expect=1)
    kube.apply(grant)
    wait_for(edge, 200, "/ready")
    allowed = told(edge, "http://shop.test/ready", expect=0)
    kube.delete(grant, service)

    assert refused["decision"]["status"] == 500
    assert "no ReferenceGrant in namespace projectcontour" in refused["decision"]["backends"][0]["problem"]
    assert allowed["decision"]["result"] == "forwarded"


def test_a_backend_that_refuses(edge: Edge) -> None:
    """Nothing listens on the Service's target port: Envoy says 503, and the second connection is REFUSED."""
    spec = {"selector": {"app": "server-0"}, "ports": [{"port": 80, "targetPort": 9090}]}
    meta = {"namespace": SPACE, "name": "deaf"}
    edge.cluster.kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    ingress(edge, path("deaf"))
    wait_for(edge, 503)

    request = told(edge, "ingress/shop", expect=1)

    into, onward = request["connections"]
    assert {way["verdict"] for way in ways(into)} == {"DELIVERED"}
    assert {way["verdict"] for way in ways(onward)} == {"REFUSED"}


def test_no_proxy_runs(edge: Edge) -> None:
    """The way in ends at the node: the Service of the proxies has no endpoints."""
    ingress(edge, path("one"))
    wait_for(edge, 200)
    kube = edge.cluster.kube
    proxies = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"namespace": contour.NAMESPACE, "name": "envoy"},
    }
    placed = {"spec": {"template": {"spec": {"nodeSelector": {"nowhere": "yes"}}}}}
    kube.patch(proxies | placed)
    try:
        wait_until("no proxy runs", lambda: not kube.list("Pod", contour.NAMESPACE, labels="app=envoy"))
        wait_until("nobody answers", lambda: get(edge).status is None)
        request = wait_until("the way in is seen to end", lambda: _lost(edge))
    finally:
        kube.patch(proxies | {"spec": {"template": {"spec": {"nodeSelector": None}}}})
        wait_ready(edge.cluster, "DaemonSet", contour.NAMESPACE, "envoy")

    assert request is not None
    assert {way["verdict"] for way in ways(request["connections"][0])} == {"NO_BACKEND"}


def _lost(edge: Edge) -> dict[str, Any] | None:
    said = packetpath(edge.cluster, "ingress/shop", "-n", SPACE)
    (request,) = json.loads(said.out)["requests"]
    ended = {way["verdict"] for way in ways(request["connections"][0])}
    return dict(request) if said.code == 1 and ended == {"NO_BACKEND"} else None


def secret(edge: Edge, name: str, *names: str, days: int = 30, kind: str = "kubernetes.io/tls") -> str:
    """A TLS Secret with a new self-signed certificate; its fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    until = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=90))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    data = {"tls.crt": base64.b64encode(public).decode(), "tls.key": base64.b64encode(private).decode()}
    for namespace in (SPACE, contour.NAMESPACE):
        meta = {"namespace": namespace, "name": name}
        edge.cluster.kube.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": kind, "data": data}
        )
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def shown(edge: Edge, host: str = "shop.test") -> str:
    """The fingerprint of the certificate that Envoy really shows; empty where there is no handshake."""
    said = edge.cluster.outside.run(["python3", "-c", CERTIFICATE_OF, edge.address, host]).strip()
    return "" if said == "none" else hashlib.sha256(bytes.fromhex(said)).digest().hex(":").upper()


def with_tls(edge: Edge, name: str) -> None:
    """An Ingress whose certificate is in this Secret, at a Gateway with a port for TLS."""
    secret(edge, "default", "default.test")
    tls = {"certificateRefs": [{"name": "default"}]}
    https = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls, "allowedRoutes": EVERYWHERE}
    edge.listeners([HTTP, https])
    ingress(edge, path("one"), tls=[{"hosts": ["shop.test"], "secretName": name}])
    wait_for(edge, 200)


@pytest.mark.parametrize(
    ("names", "days", "problem", "code"),
    [
        (("shop.test",), 30, "", 0),
        (("*.test",), 30, "", 1),
        (("other.test",), 30, "the certificate is for other.test, not for shop.test", 1),
        (("shop.test",), -1, "the certificate has expired", 1),
    ],
)
def test_the_certificate_that_is_told_is_the_one_that_is_shown(
    edge: Edge, names: tuple[str, ...], days: int, problem: str, code: int
) -> None:
    """With what a client finds wrong with it (a wildcard right below the top is none)."""
    fingerprint = secret(edge, "s", *names, days=days)
    with_tls(edge, "s")
    wait_until("Envoy shows it", lambda: shown(edge) == fingerprint, timeout_seconds=20)

    request = told(edge, "https://shop.test/", expect=code)

    assert request["tls"]["chain"][0]["fingerprint"] == fingerprint
    assert problem in " ".join(request["tls"]["problems"])
    assert [
        each.status for each in edge.send([Sent(url="", host="shop.test", path="/", port=443, tls=True)])
    ] == [200]


def test_a_missing_secret(edge: Edge) -> None:
    """There is no handshake for the host, and the program says what is missing."""
    with_tls(edge, "gone")

    request = told(edge, "https://shop.test/", expect=1)

    assert shown(edge) == ""
    assert request["tls"]["problems"] == [f"there is no Secret {SPACE}/gone"]


def https_listener(name: str, hostname: str, certificate: str) -> dict[str, Any]:
    """A listener with a host and a certificate of its own."""
    tls = {"certificateRefs": [{"name": certificate}]}
    plain = {"name": name, "port": 443, "protocol": "HTTPS", "hostname": hostname, "tls": tls}
    return plain | {"allowedRoutes": EVERYWHERE}


def test_each_listener_shows_its_own_certificate(edge: Edge) -> None:
    """By the server name of the handshake, the nearest host first."""
    exact = secret(edge, "exact", "shop.test")
    wild = secret(edge, "wild", "*.shop.test")
    edge.listeners(
        [HTTP, https_listener("exact", "shop.test", "exact"), https_listener("wild", "*.shop.test", "wild")]
    )
    route(edge, {"backendRefs": [{"name": "one", "port": 80}]})
    edge.cluster.kube.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"namespace": SPACE, "name": "wide"},
            "spec": {
                "parentRefs": [PARENT],
                "hostnames": ["*.shop.test"],
                "rules": [{"backendRefs": [{"name": "two", "port": 80}]}],
            },
        }
    )
    hosts = {"shop.test": (exact, "server-0"), "a.shop.test": (wild, "server-1")}
    for host, (fingerprint, server) in hosts.items():
        wait_until(f"Envoy serves {host}", partial(_is_shown, edge, host, fingerprint))

        request = told(edge, f"https://{host}/", expect=0)
        (got,) = edge.send([Sent(url="", host=host, path="/", port=443, tls=True)])

        assert request["tls"]["chain"][0]["fingerprint"] == fingerprint
        assert got.body == server
        assert {"one": "server-0", "two": "server-1"}[request["decision"]["backends"][0]["name"]] == server


def _is_shown(edge: Edge, host: str, fingerprint: str) -> bool:
    return shown(edge, host) == fingerprint


def test_the_documented_rights_suffice(edge: Edge) -> None:
    """With the role of manifests/client-role.yaml alone all is told but the certificate."""
    secret(edge, "s", "shop.test")
    with_tls(edge, "s")
    for given in yaml.safe_load_all(ROLE.read_text()):
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": f"{given['kind']}Binding",
            "metadata": given["metadata"],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": given["kind"],
                "name": given["metadata"]["name"],
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
        }
        edge.cluster.kube.apply(given, binding)

    def answered() -> dict[str, Any] | None:
        said = packetpath(edge.cluster, "https://shop.test/", "-n", SPACE, "--as", "viewer")
        return json.loads(said.out) if said.code == 0 else None

    found = wait_until("the rights count", answered, timeout_seconds=30)

    assert found is not None
    (request,) = found["requests"]
    assert found["notes"] == []
    assert "could not be read" in request["tls"]["unknown"]
    assert "secrets" in request["tls"]["unknown"]
