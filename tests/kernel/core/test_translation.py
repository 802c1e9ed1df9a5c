"""NAT, filters and the way back: what clients and servers really see is what the walk says."""

from collections.abc import Callable, Iterator

import pytest
from kernel.lab import Lab, answer, happened, lab, predicted, question, walk

from kubectl_packetpath.trace import StepKind, Verdict

pytestmark = pytest.mark.kernel

PROGRAMS = ["iptables-legacy-restore", "iptables-nft-restore", "nft -f -"]
"""The same rules in all three languages: see `rules`."""


def rules(program: str, nat: str = "", filters: str = "") -> str:
    """Rules as `-A CHAIN …` lines, for iptables as they are and for nft in its own words."""
    if not program.startswith("nft"):
        tables = {"nat": nat, "filter": filters}
        return "".join(f"*{name}\n{text}COMMIT\n" for name, text in tables.items() if text)
    return "".join(_as_nft(name, text) for name, text in (("nat", nat), ("filter", filters)) if text)


HOOKS = {
    "PREROUTING": "type nat hook prerouting priority -100",
    "OUTPUT": "type nat hook output priority -100",
    "POSTROUTING": "type nat hook postrouting priority 100",
    "FORWARD": "type filter hook forward priority 0",
    "INPUT": "type filter hook input priority 0",
}


def _as_nft(name: str, text: str) -> str:
    chains: dict[str, list[str]] = {}
    for line in text.splitlines():
        _, chain, *words = line.split()
        chains.setdefault(chain, []).append(_nft_rule(words))
    inside = "".join(
        f"chain {chain} {{ {HOOKS[chain]}; {'; '.join(lines)}; }}\n" for chain, lines in chains.items()
    )
    return f"table ip {name} {{\n{inside}}}\n"


NFT_WORDS = {
    "-d": "ip daddr {}",
    "-s": "ip saddr {}",
    "-o": "oifname {}",
    "-p": "{}",
    "--dport": "dport {}",
    "--to-destination": "dnat to {}",
    "--to-source": "snat to {}",
    "--to-ports": "redirect to :{}",
}
ACTIONS = {"DROP": "drop", "MASQUERADE": "masquerade", "REJECT": "reject"}


def _nft_rule(words: list[str]) -> str:
    """Only the few options that these tests use."""
    options = dict(zip(words[::2], words[1::2], strict=True))
    action = ACTIONS.get(options.pop("-j"), "")
    return " ".join([*(NFT_WORDS[option].format(value) for option, value in options.items()), action])


Load = Callable[..., None]


@pytest.fixture(params=PROGRAMS, ids=["legacy", "iptables-nft", "nft"])
def routed(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, Load]]:
    """Client - router - server, and a function that loads rules into the router in one of the languages."""
    with lab("nat") as made:
        made.add("router", "client", "server")
        for number, name in enumerate(("client", "server")):
            made.connect(("router", name), (name, "eth0"))
            made["router"].ip(f"addr add 10.0.{number}.1/24 dev {name}")
            made[name].ip(f"addr add 10.0.{number}.2/24 dev eth0", f"route add default via 10.0.{number}.1")
        made["router"].sysctls({"net/ipv4/ip_forward": 1})
        made.serve("server", "tcp:8080", "udp:8080")

        def load(nat: str = "", filters: str = "", where: str = "router") -> None:
            made.load(where, request.param, rules(request.param, nat, filters))

        yield made, load


DNAT = "-A PREROUTING -d 10.96.0.1 -p {0} --dport 80 -j DNAT --to-destination 10.0.1.2:8080\n"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(
    "source",
    [
        "",
        "-A POSTROUTING -o server -j MASQUERADE\n",
        "-A POSTROUTING -s 10.0.0.2 -j SNAT --to-source 10.0.1.1\n",
    ],
    ids=["keep-source", "masquerade", "snat"],
)
def test_a_service_address_leads_to_its_server_and_back(
    routed: tuple[Lab, Load], source: str, protocol: str
) -> None:
    """The server sees the client or the router, and the client sees the answer come from what it asked."""
    made, load = routed
    load(nat=DNAT.format(protocol) + source)

    expected = predicted(made, "client", "10.96.0.1", 80, protocol)

    assert expected == {happened(made, "client", "10.96.0.1", 80, protocol)}
    assert expected == {("reached", "server", "10.0.1.1" if source else "10.0.0.2")}


def test_filters_see_the_translated_destination_and_the_real_source(routed: tuple[Lab, Load]) -> None:
    """FORWARD stands after DNAT and before masquerading, in both directions."""
    made, load = routed
    load(
        nat=DNAT.format("tcp") + "-A POSTROUTING -o server -j MASQUERADE\n",
        filters="-A FORWARD -s 10.0.0.2 -d 10.0.1.2 -j DROP\n",
    )

    paths = walk(made, "client", question("10.96.0.1", 80))

    assert [path.ending.verdict for path in paths] == [Verdict.DROPPED]
    assert happened(made, "client", "10.96.0.1", 80)[0] == "timeout"


def test_answers_can_be_filtered_too(routed: tuple[Lab, Load]) -> None:
    """A rule for the real endpoint as a source loses the answer."""
    made, load = routed
    load(nat=DNAT.format("tcp"), filters="-A FORWARD -s 10.0.1.2 -d 10.0.0.2 -j DROP\n")

    assert predicted(made, "client", "10.96.0.1", 80) == {("timeout", "", "")}
    assert happened(made, "client", "10.96.0.1", 80) == ("timeout", "", "")


def test_a_rule_that_rejects(routed: tuple[Lab, Load]) -> None:
    """The client is told at once."""
    made, load = routed
    load(filters="-A FORWARD -d 10.0.1.2 -j REJECT\n")

    paths = walk(made, "client", question("10.0.1.2", 8080))

    assert [path.ending.verdict for path in paths] == [Verdict.REJECTED]
    assert happened(made, "client", "10.0.1.2", 8080)[0] == "refused"


def test_a_redirect_leads_to_the_router_itself(routed: tuple[Lab, Load]) -> None:
    """The address becomes that of the device that the packet came in by."""
    made, load = routed
    made.serve("router", "tcp:3128")
    load(nat="-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3128\n")

    expected = predicted(made, "client", "10.0.1.2", 80)

    assert expected == {happened(made, "client", "10.0.1.2", 80)} == {("reached", "router", "10.0.0.2")}


def test_the_host_itself_reaches_a_service(routed: tuple[Lab, Load]) -> None:
    """DNAT in OUTPUT routes the packet again, and keeps the source that was chosen for the service address."""
    made, load = routed
    made["router"].ip("route add 10.96.0.0/16 dev client src 10.0.0.1")
    load(nat=DNAT.format("tcp").replace("PREROUTING", "OUTPUT"))

    expected = predicted(made, "router", "10.96.0.1", 80)

    assert expected == {happened(made, "router", "10.96.0.1", 80)} == {("reached", "server", "10.0.0.1")}


def test_output_filters_see_the_first_device_and_postrouting_the_last(routed: tuple[Lab, Load]) -> None:
    """After DNAT in OUTPUT the packet leaves by another device, which POSTROUTING masquerades for."""
    made, load = routed
    made["router"].ip("route add 10.96.0.0/16 dev client src 10.0.0.1")
    load(nat=DNAT.format("tcp").replace("PREROUTING", "OUTPUT") + "-A POSTROUTING -o server -j MASQUERADE\n")

    expected = predicted(made, "router", "10.96.0.1", 80)

    assert expected == {happened(made, "router", "10.96.0.1", 80)} == {("reached", "server", "10.0.1.1")}


def test_a_service_on_the_host_that_asks(routed: tuple[Lab, Load]) -> None:
    """From an address of the host to a service that leads to another address of the same host."""
    made, load = routed
    made["router"].ip("route add 10.96.0.0/16 dev client src 10.0.0.1")
    made.serve("router", "tcp:8080")
    load(nat=DNAT.format("tcp").replace("PREROUTING", "OUTPUT").replace("10.0.1.2", "10.0.1.1"))

    expected = predicted(made, "router", "10.96.0.1", 80)

    assert expected == {happened(made, "router", "10.96.0.1", 80)} == {("reached", "router", "10.0.0.1")}


def test_the_undone_translation_is_told(routed: tuple[Lab, Load]) -> None:
    """The way back shows the destination and the source being restored."""
    made, load = routed
    load(nat=DNAT.format("tcp") + "-A POSTROUTING -o server -j MASQUERADE\n")
    (path,) = walk(made, "client", question("10.96.0.1", 80))

    (back,) = answer(made, path)

    texts = [step.text for hop in back.hops for step in hop.steps if step.kind is StepKind.REWROTE]
    assert texts == [
        "destination 10.0.1.1:40000 back to 10.0.0.2:40000",
        "source 10.0.1.2:8080 back to 10.96.0.1:80",
    ]


@pytest.mark.parametrize("masquerade", [False, True])
@pytest.mark.parametrize("localnet", [0, 1])
def test_a_loopback_source_stays_at_home(localnet: int, *, masquerade: bool) -> None:
    """What is sent to 127.0.0.1 and translated to elsewhere leaves only where route_localnet is on, before any SNAT."""
    with lab("localnet") as made:
        made.add("host", "peer")
        made.connect(("host", "eth0"), ("peer", "eth0"))
        made["host"].ip("addr add 10.9.0.1/24 dev eth0")
        made["peer"].ip("addr add 10.9.0.2/24 dev eth0")
        made["host"].sysctls({"net/ipv4/conf/all/route_localnet": localnet})
        made.serve("peer", "tcp:8080")
        nat = "-A OUTPUT -d 127.0.0.1/32 -p tcp --dport 80 -j DNAT --to-destination 10.9.0.2:8080\n"
        nat += "-A POSTROUTING -j MASQUERADE\n" if masquerade else ""
        made.load("host", "iptables-nft-restore", rules("iptables-nft-restore", nat))

        told, seen = predicted(made, "host", "127.0.0.1", 80), happened(made, "host", "127.0.0.1", 80)
        (path,) = walk(made, "host", question("127.0.0.1", 80))

    assert told == {seen}
    assert (seen[0] == "reached") == (localnet == 1 and masquerade)
    if not localnet:
        assert path.ending.reason == "the source 127.0.0.1 is a loopback address, which may not leave by eth0"
