"""TLS at Envoys: the certificate that is told is the one that is shown, and what a client finds wrong with it."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.edge import SPACE, Edge, Sent
from cluster.prediction import packetpath
from cluster.shop import EVERYWHERE, HTTP, PARENT, ingress, open_shop, path, route, told, wait_for
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testbed.addons import contour
from testbed.cluster import Cluster
from testbed.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge")]
ROLE = Path(__file__).parents[2] / "manifests" / "client-role.yaml"
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
    return open_shop(cluster)


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
    assert [each["agrees"] for each in request["proxies"]] == [True, True]
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
