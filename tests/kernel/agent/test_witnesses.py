"""What the agent reads is what the system's own tools show, for each subject, in a namespace full of things."""

import re
from ipaddress import ip_network
from typing import Any

import pytest
from kernel.agent.room import Full, rows

from kubectl_packetpath.snapshot.nftables import Nftables
from kubectl_packetpath.snapshot.xtables_blob import index_blob

pytestmark = pytest.mark.kernel


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


def _gateway(shown: dict[str, Any]) -> str | None:
    """The next hop as `ip` shows it, which names the family of one that is not the route's own."""
    gateway: str | None = shown.get("gateway", shown.get("via", {}).get("host"))
    return gateway


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
            tuple((_gateway(h), h["dev"], h["weight"]) for h in w["nexthops"])
            if "nexthops" in w
            else ((_gateway(w), w["dev"], 1),)
            if "dev" in w and w.get("type", "unicast") != "blackhole"
            else (),
        )
        for w in full.show("ip", f"-{version}", "-d", "-j", "route", "show", "table", "all")
        if "encap" not in w  # such a row has two members named "dst"
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
        if row.destination.version == version and not any(hop.encapsulation for hop in row.hops)
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
