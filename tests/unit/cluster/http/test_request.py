"""Requests as typed."""

import pytest

from kubectl_packetpath.cluster.http.request import request_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example.com/cart?x=1", ("https", "shop.example.com", 443, "/cart")),
        ("shop.example.com", ("http", "shop.example.com", 80, "/")),
        ("http://SHOP.example.com.:8080/", ("http", "shop.example.com", 8080, "/")),
        ("http://[fd00::1]:81/a", ("http", "fd00::1", 81, "/a")),
    ],
)
def test_a_url_is_a_request(url: str, expected: tuple[str, str, int, str]) -> None:
    """Scheme, host, port and path."""
    found = request_of(url)

    assert expected == (found.scheme, found.host, found.port, found.path)


def test_the_host_header_replaces_the_urls_host_and_tls_keeps_it() -> None:
    """As curl does with -H Host: the server name stays that of the URL."""
    found = request_of("https://203.0.113.5/", headers=(("Host", "shop.example.com:443"),))

    assert (found.host, found.sni) == ("shop.example.com", "")


def test_headers_of_one_name_are_joined() -> None:
    """Their names know no case."""
    found = request_of("http://x/", headers=(("Version", "a"), ("VERSION", "b")))

    assert found.header("version") == "a,b"


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http:///path"])
def test_no_url(url: str) -> None:
    """The refusal shows one."""
    with pytest.raises(ValueError, match="not a URL"):
        request_of(url)
