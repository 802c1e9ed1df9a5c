"""Certificates out of a Secret."""

import base64
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kubectl_packetpath.sources.certificates import secret_of


def pem(*names: str) -> bytes:
    """A self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
    alternatives.append(x509.IPAddress(ip_address("203.0.113.5")))
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def given(data: bytes | None) -> dict[str, Any]:
    """A Secret as the API gives it."""
    return {
        "metadata": {"namespace": "shop", "name": "s"},
        "type": "kubernetes.io/tls",
        "data": {} if data is None else {"tls.crt": base64.b64encode(data).decode()},
    }


def test_a_chain_is_read() -> None:
    """Names, addresses and times of each certificate."""
    found = secret_of(given(pem("shop.example.com", "*.example.com") + pem("ca.example.com")))

    first = found.chain[0]
    assert (first.names, [str(each) for each in first.addresses]) == (
        ("shop.example.com", "*.example.com"),
        ["203.0.113.5"],
    )
    assert (first.not_before.year, first.not_after.year, first.is_self_issued) == (2026, 2027, True)
    assert (len(found.chain), found.problem) == (2, "")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "it has no tls.crt"),
        (b"nonsense", "its tls.crt is no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "its tls.crt is no certificate"),
    ],
)
def test_what_is_no_certificate_is_said(data: bytes | None, problem: str) -> None:
    """And never an exception: anybody may write a Secret."""
    found = secret_of(given(data))

    assert found.chain == ()
    assert found.problem.startswith(problem)


def test_bad_base64_is_said() -> None:
    """Of a bundle that somebody changed."""
    broken = given(None) | {"data": {"tls.crt": "%%%"}}

    assert secret_of(broken).problem == "its tls.crt is not base64"
