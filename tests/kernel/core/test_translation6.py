"""NAT of IPv6: the same story as for IPv4, with the kernel's own choice of a masquerade address."""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, happened, lab, predicted

pytestmark = pytest.mark.kernel

DNAT = "-A {chain} -d fd96::1/128 -p {protocol} --dport 80 -j DNAT --to-destination [fd00:1::2]:8080\n"


@pytest.fixture(params=["ip6tables-legacy-restore", "ip6tables-nft-restore"], ids=["legacy", "iptables-nft"])
def program(request: pytest.FixtureRequest) -> str:
    """Who loads the rules."""
    return str(request.param)


@pytest.fixture
def routed() -> Iterator[Lab]:
    """Client - router - server; the router has several addresses to choose from."""
    with lab("nat6") as made:
        made.add("router", "client", "server")
        for number, name in enumerate(("client", "server")):
            made.connect(("router", name), (name, "eth0"))
            made["router"].ip(
                f"addr add fd00:{number}::1/64 dev {name} nodad",
                f"addr add 2001:db8:{number}::1/64 dev {name} nodad",
            )
            made[name].ip(
                f"addr add fd00:{number}::2/64 dev eth0 nodad", f"route add ::/0 via fd00:{number}::1"
            )
        made["router"].sysctls({"net/ipv6/conf/all/forwarding": 1})
        made["router"].ip("route add fd96::/16 dev client")
        made.serve("server", "tcp:8080", "udp:8080")
        yield made


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(
    "source", ["", "-A POSTROUTING -o server -j MASQUERADE\n"], ids=["keep", "masquerade"]
)
def test_a_service_address_leads_to_its_server_and_back(
    routed: Lab, program: str, protocol: str, source: str
) -> None:
    """The masquerade address is of the destination's network."""
    rules = DNAT.format(chain="PREROUTING", protocol=protocol)
    routed.load("router", program, f"*nat\n{rules}{source}COMMIT\n")

    expected = predicted(routed, "client", "fd96::1", 80, protocol)

    assert expected == {happened(routed, "client", "fd96::1", 80, protocol)}
    assert expected == {("reached", "server", "fd00:1::1" if source else "fd00::2")}


def test_the_host_itself_reaches_a_service(routed: Lab, program: str) -> None:
    """DNAT in OUTPUT: routed again with the source of the first way."""
    rules = DNAT.format(chain="OUTPUT", protocol="tcp")
    routed.load("router", program, f"*nat\n{rules}COMMIT\n")

    expected = predicted(routed, "router", "fd96::1", 80)

    assert expected == {happened(routed, "router", "fd96::1", 80)}
