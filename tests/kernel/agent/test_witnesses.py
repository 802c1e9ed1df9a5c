"""What the agent reads is what the system's own tools show, for each subject, in a namespace full of things."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.codec import decode, encode
from kubectl_packetpath.snapshot.nftables import Nftables
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.xtables_blob import index_blob
from packetpath_agent.live import LiveNamespace
from packetpath_agent.netns import Found
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel

SETUP = """
link set lo up
link add br0 type bridge
link add a0 type veth peer name a1
link set a0 master br0 up
link set a1 up
link set br0 up
link add vx7 type vxlan id 7 dstport 8472 local 192.0.2.1 dev a1 nolearning
link set vx7 up
addr add 192.0.2.1/24 dev a1
addr add 2001:db8::1/64 dev a1 nodad
addr add 10.9.0.1/24 dev br0
route add 198.51.100.0/24 via 192.0.2.254 dev a1
route add blackhole 203.0.113.0/24
route add 10.20.0.0/16 nexthop via 192.0.2.7 weight 3 nexthop via 192.0.2.8 weight 1
route add default via 192.0.2.9 dev a1 table 77
-6 route add 2001:db8:1::/48 via 2001:db8::9 dev a1
rule add fwmark 0x10/0xf0 lookup 77 pref 100
rule add from 10.9.0.0/24 iif br0 lookup 77 pref 101
-6 rule add to 2001:db8:5::/48 lookup 77 pref 102
neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev a1 nud permanent
neigh add 192.0.2.10 lladdr 02:00:00:00:00:0a dev a1 nud permanent
nexthop add id 12 via 192.0.2.11 dev a1
nexthop add id 13 group 12,5
"""
LEGACY = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:MINE - [0:0]
-A PREROUTING -j MINE
-A MINE -d 192.0.2.5/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.9.0.2:8080
COMMIT
"""
NFT = """table inet t {
  set s { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90 } }
  map m { type ipv4_addr : verdict; elements = { 10.1.1.1 : drop, 10.1.1.2 : goto c } }
  counter hits { packets 3 bytes 4 }
  chain c { accept; }
  chain in { type filter hook input priority 5; policy drop; ip daddr vmap @m; counter name hits; }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """A namespace with one of everything, as the kernel and as the agent see it."""

    namespace: Namespace
    state: LiveNamespace

    def show(self, *command: str) -> Any:
        """What a tool prints as JSON."""
        return json.loads(self.run(*command))

    def run(self, *command: str) -> str:
        """What a tool prints."""
        done = subprocess.run([*self.namespace.enter, *command], capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture(scope="module")
def full() -> Iterator[Full]:
    """Everything loaded, everything read."""
    namespace = Namespace(name="ppk-witness")
    if namespace.exists():
        namespace.delete()
    namespace.create()
    try:
        for line in SETUP.strip().splitlines():
            subprocess.run(["ip", "-n", namespace.name, *line.split()], check=True)
        fdb = "fdb append 02:00:00:00:00:77 dev vx7 dst 198.51.100.9 self permanent"
        subprocess.run([*namespace.enter, "bridge", *fdb.split()], check=True)
        subprocess.run([*namespace.enter, "bridge", "link", "set", "dev", "a0", "hairpin", "on"], check=True)
        subprocess.run([*namespace.enter, "iptables-legacy-restore"], input=LEGACY.encode(), check=True)
        subprocess.run([*namespace.enter, "nft", "-f", "-"], input=NFT.encode(), check=True)
        found = Found(identity=namespace.path.stat().st_ino, path=Path(namespace.path))
        state = LiveNamespace(found, is_host=True, pod=None)
        state.read_everything()
        yield Full(namespace=namespace, state=state)
        state.close()
    finally:
        namespace.delete()


def rows(section: Any) -> Any:
    """The rows of a section that must be there."""
    assert not isinstance(section, Absent), section
    return section


def test_links(full: Full) -> None:
    """Names, kinds, MTUs, MACs and masters of all devices."""
    links = rows(full.state.links())
    names = {link.index: link.name for link in links}
    witness = full.show("ip", "-d", "-j", "link")

    assert [
        (w["ifindex"], w["ifname"], w["mtu"], w["address"], w.get("linkinfo", {}).get("info_kind", ""), w.get("master"))
        for w in witness
    ] == [(n.index, n.name, n.mtu, n.mac, n.kind, names.get(n.master)) for n in links]  # fmt: skip


def test_details_of_links(full: Full) -> None:
    """A VXLAN's number, port and learning; a bridge port's hairpin flag."""
    by_name = {link.name: link for link in rows(full.state.links())}
    vxlan = by_name["vx7"].vxlan

    assert vxlan is not None
    assert (vxlan.vni, vxlan.port, str(vxlan.local), vxlan.learning) == (7, 8472, "192.0.2.1", False)
    assert vxlan.underlay == by_name["a1"].index
    assert by_name["a0"].port is not None
    assert by_name["a0"].port.hairpin
    assert by_name["a0"].link == by_name["a1"].index


def test_addresses(full: Full) -> None:
    """All addresses with their prefix and device."""
    witness = {
        (link["ifindex"], entry["local"], entry["prefixlen"])
        for link in full.show("ip", "-j", "addr")
        for entry in link["addr_info"]
    }

    assert {
        (row.link, str(row.address), row.prefix_length) for row in rows(full.state.addresses())
    } == witness


@pytest.mark.parametrize("version", [4, 6])
def test_routes(full: Full, version: int) -> None:
    """Destination, type, metric and gateways of the routes of all tables."""
    names = {link.index: link.name for link in rows(full.state.links())}
    anything = "0.0.0.0/0" if version == 4 else "::/0"
    witness = sorted(
        (
            str(ip_network(anything if w["dst"] == "default" else w["dst"])),
            w.get("type", "unicast"),
            str(w.get("table", "main")),
            tuple((h.get("gateway"), h["dev"], h["weight"]) for h in w["nexthops"])
            if "nexthops" in w
            else ((w.get("gateway"), w["dev"], 1),)
            if "dev" in w and w.get("type", "unicast") != "blackhole"
            else (),
        )
        for w in full.show("ip", f"-{version}", "-d", "-j", "route", "show", "table", "all")
    )
    tables = {254: "main", 255: "local"}

    seen = sorted(
        (
            str(row.destination),
            row.type,
            tables.get(row.table, str(row.table)),
            tuple((str(h.gateway) if h.gateway else None, names[h.device], h.weight) for h in row.hops)
            if row.type != "blackhole"
            else (),
        )
        for row in rows(full.state.routes())
        if row.destination.version == version
    )

    assert witness == seen


def test_rules(full: Full) -> None:
    """Priority, mark, source, device and table of policy rules."""
    found = {row.priority: row for row in rows(full.state.policy_rules()) if row.priority in {100, 101, 102}}

    assert (found[100].mark, found[100].mask, found[100].table) == (0x10, 0xF0, 77)
    assert (str(found[101].source), found[101].iif) == ("10.9.0.0/24", "br0")
    assert (str(found[102].destination), found[102].family) == ("2001:db8:5::/48", 6)


def test_neighbours_and_forwarding(full: Full) -> None:
    """Permanent neighbours, and a VXLAN's peers."""
    neighbours = {str(row.address): row.mac for row in rows(full.state.neighbours())}
    entries = {(row.mac, str(row.destination)) for row in rows(full.state.fdb()) if row.destination}

    assert neighbours["192.0.2.10"] == "02:00:00:00:00:0a"
    assert ("02:00:00:00:00:77", "198.51.100.9") in entries


def test_nexthop_objects(full: Full) -> None:
    """Next hop objects and weighted groups of them."""
    found = {row.id: row for row in rows(full.state.nexthops())}

    assert found[12].hop is not None
    assert str(found[12].hop.gateway) == "192.0.2.11"
    assert found[13].group == ((12, 5),)


def test_legacy_chains(full: Full) -> None:
    """The legacy table has the chains that iptables shows."""
    tables = {(table.family, table.name): table for table in rows(full.state.legacy_tables())}
    nat = tables[4, "nat"]
    assert nat.blob is not None
    shown = re.findall(r"^:(\S+)", full.run("iptables-legacy-save", "-t", "nat"), re.MULTILINE)

    assert set(index_blob(4, nat.blob, nat.hook_entry, nat.underflow).values()) == set(shown)


def test_nftables(full: Full) -> None:
    """Tables, chains with hooks, the number of rules and elements, and objects as nft lists them."""
    state = full.state.nft.narrowed()
    assert isinstance(state, Nftables)
    witness = full.show("nft", "-j", "list", "ruleset")["nftables"]
    listed = [each["rule"]["chain"] for each in witness if "rule" in each]

    counted = [c.name for c in state.chains for _ in rows(c.rules)]
    base = next(chain for chain in state.chains if chain.name == "in")
    assert sorted(listed) == sorted(counted)
    assert base.hook is not None
    assert (base.hook.priority, base.hook.policy, base.hook.type) == (5, 0, "filter")
    assert next(len(rows(each.elements)) for each in state.sets if each.name == "m") == 2
    assert [each.name for each in state.objects] == ["hits"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("m", bytes([10, 1, 1, 1])),
        ("m", bytes([10, 1, 1, 3])),
        ("s", bytes([10, 2, 3, 4, 0, 85, 0, 0])),
        ("s", bytes([10, 2, 3, 4, 0, 91, 0, 0])),
        ("s", bytes([11, 2, 3, 4, 0, 85, 0, 0])),
    ],
)
def test_a_recording_finds_what_the_kernel_finds(full: Full, name: str, key: bytes) -> None:
    """The recording's own lookup answers as the kernel's does, for keys in and out of a set."""
    snapshot = Snapshot(node="n", taken_at="", namespaces=(full.state.narrowed(whole=True),))
    recorded = RecordedNode(decode(encode(snapshot))).host()
    fresh = LiveNamespace(Found(identity=1, path=Path(full.namespace.path)), is_host=True, pod=None)

    asked = fresh.nft_lookup(1, "t", name, key)
    answered = recorded.nft_lookup(1, "t", name, key)
    fresh.close()

    assert not isinstance(answered, Absent)
    assert not isinstance(asked, Absent)
    assert (asked.element is None) == (answered.element is None)
