"""Whether a certificate is for a host: the rules of RFC 9525 and RFC 6125."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from kubectl_packetpath.cluster.http.tls.model import Certificate
from kubectl_packetpath.cluster.http.tls.names import is_for, name_covers, why_not_for


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        ("shop.example.com", "shop.example.com", True),
        ("shop.example.com", "SHOP.example.com.", True),
        ("shop.example.com", "example.com", False),
        ("shop.example.com", "a.shop.example.com", False),
        ("*.example.com", "foo.example.com", True),
        ("*.example.com", "bar.foo.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("f*.example.com", "foo.example.com", False),
        ("baz*.example.net", "baz1.example.net", False),
        ("*baz.example.net", "foobaz.example.net", False),
        ("bar.*.example.net", "bar.foo.example.net", False),
        ("*.*.example.com", "a.b.example.com", False),
        ("*.com", "example.com", False),
        ("*", "example", False),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
    ],
)
def test_names(name: str, host: str, expected: bool) -> None:
    """A wildcard is the whole leftmost label, and stands for just one."""
    assert expected == name_covers(name, host)


def certificate(*names: str, address: str = "", common_name: str = "") -> Certificate:
    """A certificate for these names."""
    return Certificate(
        subject=f"CN={common_name}",
        issuer="CN=ca",
        common_name=common_name,
        names=names,
        addresses=(ip_address(address),) if address else (),
        not_before=datetime(2024, 1, 1, tzinfo=UTC),
        not_after=datetime(2025, 1, 1, tzinfo=UTC),
    )


def test_the_common_name_does_not_count() -> None:
    """Clients stopped looking at it years ago, and it is told why."""
    only_subject = certificate(common_name="shop.example.com")

    assert not is_for(only_subject, "shop.example.com")
    assert "only as its subject" in why_not_for(only_subject, "shop.example.com")


def test_an_address_is_matched_by_address_only() -> None:
    """A DNS name that looks like one is none."""
    assert is_for(certificate(address="203.0.113.5"), "203.0.113.5")
    assert not is_for(certificate("203.0.113.5"), "203.0.113.5")
    assert not is_for(certificate("*.0.113.5"), "203.0.113.5")
