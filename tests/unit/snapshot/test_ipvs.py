"""Lines of IPVS's connection table."""

from ipaddress import ip_address

import pytest

from kubectl_packetpath.snapshot.ipvs import client_of, decode_line, written

LINE = b"TCP 0A090001 9C40 0A600001 0050 0A010003 1F90 ESTABLISHED     899\n"
LINE6 = (
    b"UDP fd00:0000:0000:0000:0000:0000:0000:0001 9C40 fd00:0096:0000:0000:0000:0000:0000:0001 0035 "
    b"fd00:0001:0000:0000:0000:0000:0000:0002 0035 UDP             299\n"
)


def test_an_ipv4_line() -> None:
    """Addresses and ports are hexadecimal."""
    known = decode_line(LINE)

    assert (known.protocol, str(known.client), known.client_port) == (6, "10.9.0.1", 40000)
    assert (str(known.virtual), known.virtual_port) == ("10.96.0.1", 80)
    assert (str(known.server), known.server_port) == ("10.1.0.3", 8080)
    assert (known.state, known.expires_seconds) == ("ESTABLISHED", 899)


def test_an_ipv6_line() -> None:
    """Addresses are written out."""
    known = decode_line(LINE6)

    assert (known.protocol, str(known.client), str(known.server)) == (17, "fd00::1", "fd00:1::2")


@pytest.mark.parametrize(("line", "address"), [(LINE, "10.9.0.1"), (LINE6, "fd00::1")])
def test_a_client_is_found_by_its_text(line: bytes, address: str) -> None:
    """Without reading the rest of the line."""
    assert client_of(line) == written(ip_address(address))


def test_anything_else_is_refused() -> None:
    """A torn line is no connection."""
    with pytest.raises(ValueError, match="no line"):
        decode_line(b"TCP 0A090001")
