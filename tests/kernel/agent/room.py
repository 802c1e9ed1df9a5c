"""A network namespace with one of everything, as the kernel, its tools and the agent see it."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.codec import decode, encode
from kubectl_packetpath.snapshot.recorded import RecordedNamespace, RecordedNode
from packetpath_agent.live import LiveNamespace
from packetpath_agent.netns import Found
from testbed.netns import Namespace
from testbed.waiting import wait_until

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
nexthop add id 14 via 192.0.2.12 dev a1
nexthop add id 15 group 12,5/14
route add 10.31.0.0/16 nhid 15
route add 10.32.0.0/16 nhid 12
route add 10.33.0.0/16 via inet6 2001:db8::5 dev a1
route add 10.34.0.0/16 encap ip id 5 dst 192.0.2.9 via 192.0.2.9 dev a1
route add 10.35.0.0/16 via 192.0.2.9 dev a1 mtu 1300 src 192.0.2.1 proto 80 onlink
-6 route add 2001:db8:7::/48 nexthop via 2001:db8::7 dev a1 weight 2 nexthop via 2001:db8::8 dev a1
rule add uidrange 1000-2000 lookup 77 pref 103
rule add ipproto tcp dport 80-90 sport 7 lookup 77 pref 104
rule add not from 10.0.0.0/8 lookup 77 suppress_prefixlength 0 pref 105
rule add iif a1 goto 32766 pref 106
rule add from 10.9.9.0/24 blackhole pref 107
xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 proto tcp dport 443 dir out mark 0x10 mask 0xff priority 7 tmpl src 192.0.2.1 dst 192.0.2.9 proto esp reqid 5 mode tunnel
xfrm policy add src 2001:db8::/32 dst ::/0 dir in action block
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
LEGACY6 = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -s 2001:db8::/32 -p tcp -m tcp --dport 22 -j DROP
COMMIT
"""
NFT_IPTABLES = """*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:OTHER - [0:0]
-A PREROUTING -p udp -m udp --dport 53 -m conntrack --ctstate NEW -j OTHER
-A OTHER -m mark ! --mark 0x10/0xf0 -j MARK --set-xmark 0x10/0xf0
COMMIT
"""
IPSETS = """create pods hash:ip family inet
add pods 10.9.0.2
add pods 10.9.0.3
create nets hash:net,port family inet
add nets 10.0.0.0/8,tcp:80
create both list:set
add both pods
create many hash:ip,port,ip hashsize 1024
"""
NFT = """table inet t {
  set s { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90 } }
  map m { type ipv4_addr : verdict; elements = { 10.1.1.1 : drop, 10.1.1.2 : goto c } }
  set r { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.5, 198.51.100.0-198.51.100.9 } }
  set p { type inet_service; flags interval; elements = { 22, 80-90, 65000-65535 } }
  map rest { type ipv4_addr : verdict; elements = { 10.1.1.1 : drop, * : accept } }
  set six { type ipv6_addr . inet_service; elements = { 2001:db8::1 . 80 } }
  counter hits { packets 3 bytes 4 }
  chain c { accept; }
  chain in { type filter hook input priority 5; policy drop; ip daddr vmap @m; counter name hits; }
}
"""


LINK_LOCAL = ("a0", "a1", "br0", "vx7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """A namespace with one of everything, as the kernel and as the agent see it."""

    namespace: Namespace
    state: LiveNamespace
    recorded: RecordedNamespace | None = None

    def show(self, *command: str) -> Any:
        """What a tool prints as JSON."""
        return json.loads(self.run(*command))

    def run(self, *command: str) -> str:
        """What a tool prints."""
        done = subprocess.run([*self.namespace.enter, *command], capture_output=True, text=True, check=True)
        return done.stdout


@contextmanager
def furnished(name: str) -> Iterator[Full]:
    """Everything loaded, everything read."""
    namespace = Namespace(name=f"{name}-{os.getpid()}")
    namespace.create()
    try:
        for line in SETUP.strip().splitlines():
            subprocess.run(["ip", "-n", namespace.name, *line.split()], check=True)
        fdb = "fdb append 02:00:00:00:00:77 dev vx7 dst 198.51.100.9 self permanent"
        subprocess.run([*namespace.enter, "bridge", *fdb.split()], check=True)
        subprocess.run([*namespace.enter, "bridge", "link", "set", "dev", "a0", "hairpin", "on"], check=True)
        subprocess.run([*namespace.enter, "iptables-legacy-restore"], input=LEGACY.encode(), check=True)
        subprocess.run([*namespace.enter, "ip6tables-legacy-restore"], input=LEGACY6.encode(), check=True)
        subprocess.run([*namespace.enter, "nft", "-f", "-"], input=NFT.encode(), check=True)
        subprocess.run([*namespace.enter, "iptables-nft-restore"], input=NFT_IPTABLES.encode(), check=True)
        members = "".join(f"add many 10.{n >> 8}.{n & 255}.1,tcp:{n},10.0.0.9\n" for n in range(5000))
        subprocess.run([*namespace.enter, "ipset", "restore"], input=(IPSETS + members).encode(), check=True)
        wait_until("the kernel has given all link-local addresses", lambda: _is_settled(namespace))
        found = Found(identity=namespace.path.stat().st_ino, path=Path(namespace.path))
        state = LiveNamespace(found, is_host=True, pod=None)
        state.read_everything()
        made = Full(namespace=namespace, state=state)
        yield replace(made, recorded=recorded(made))
        state.close()
    finally:
        namespace.delete()


def _is_settled(namespace: Namespace) -> bool:
    """The kernel gives each device an address, and its routes, a moment after the device's carrier came."""
    shown = subprocess.run(
        ["ip", "-n", namespace.name, "-j", "addr"], capture_output=True, text=True, check=True
    )
    devices = [each for each in json.loads(shown.stdout) if each["ifname"] in LINK_LOCAL]
    addresses = [[a for a in each["addr_info"] if a["local"].startswith("fe80:")] for each in devices]
    return len(devices) == len(LINK_LOCAL) and all(
        each and not any(a.get("tentative") for a in each) for each in addresses
    )


def recorded(full: Full) -> RecordedNamespace:
    """All that was read there, after its way through a file."""
    snapshot = Snapshot(node="n", taken_at="", namespaces=(full.state.narrowed(whole=True),))
    return RecordedNode(decode(encode(snapshot))).host()


@contextmanager
def fresh(full: Full) -> Iterator[LiveNamespace]:
    """The same namespace, of which nothing was read yet."""
    found = Found(identity=full.state.identity, path=Path(full.namespace.path))
    state = LiveNamespace(found, is_host=True, pod=None)
    try:
        yield state
    finally:
        state.close()


def rows(section: Any) -> Any:
    """The rows of a section that must be there."""
    assert not isinstance(section, Absent), section
    return section
