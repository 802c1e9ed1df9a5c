"""Each match decides as the kernel does: one rule each, real packets, and the rules' own counters."""

from collections.abc import Iterator

import pytest
from kernel.xtables.packets import PACKETS4, PACKETS6
from kernel.xtables.wire import ROUTER, Sent, facts_of, load, observed, predicted, wires

from kubectl_packetpath.walk.here import Hook
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

BODIES = """
-s 10.77.1.2/32
! -s 10.77.1.2/32
-d 10.77.2.2
! -d 10.77.2.0/24
-s 10.0.1.2/255.0.255.255
! -s 10.0.1.2/255.0.255.255
-i r0
! -i r0
-i r+
-i lo
! -i lo
-p tcp
! -p tcp
-p udp
! -p udp
-f
! -f
-m addrtype --dst-type LOCAL
-m addrtype ! --dst-type LOCAL
-m addrtype --dst-type UNICAST
-m addrtype --dst-type BROADCAST
-m addrtype --src-type LOCAL
-m addrtype ! --src-type LOCAL --dst-type LOCAL,BROADCAST
-m addrtype --dst-type LOCAL --limit-iface-in
-m comment --comment hello
-m conntrack --ctstate NEW
-m conntrack --ctstate INVALID
-m conntrack ! --ctstate INVALID
-m conntrack --ctstate RELATED,ESTABLISHED
-m conntrack --ctstate UNTRACKED
-m conntrack --ctstate DNAT,SNAT
-m conntrack ! --ctstate DNAT
-m conntrack --ctproto 6
-m conntrack ! --ctproto 6
-m conntrack --ctorigsrc 10.77.1.0/24
-m conntrack ! --ctorigsrc 10.77.1.0/24
-m conntrack --ctrepldst 10.77.1.2
-m conntrack --ctreplsrc 10.77.1.2
-m conntrack --ctproto 6 --ctorigdstport 80
-m conntrack --ctproto 17 --ctorigdstport 53:100
-m conntrack --ctproto 17 ! --ctreplsrcport 53
-m conntrack --ctstatus NONE
-m conntrack ! --ctstatus NONE
-m conntrack --ctstatus CONFIRMED
-m conntrack ! --ctstatus CONFIRMED,EXPECTED
-m conntrack --ctdir ORIGINAL
-m conntrack --ctdir REPLY
-m state --state NEW
-m mark --mark 0x0
-m mark ! --mark 0x0
-m mark --mark 0x4000/0x4000
-m mark ! --mark 0x4000/0x4000
-m connmark --mark 0x0
-m connmark ! --mark 0x0
-m connmark ! --mark 0x1
-p tcp -m tcp --dport 80
-p tcp -m tcp ! --dport 80
-p tcp -m tcp --dport 50:100
-p tcp -m tcp --sport 1:1000
-p tcp -m tcp ! --sport 1:1000
-p tcp -m tcp --syn
-p tcp -m tcp ! --syn
-p tcp -m tcp --tcp-flags ALL NONE
-p tcp -m tcp --tcp-flags SYN,PSH,URG SYN,PSH,URG
-p tcp -m tcp ! --tcp-flags SYN,ACK SYN,ACK
-p udp -m udp --dport 53
-p udp -m udp ! --dport 53
-p udp -m udp --sport 53 --dport 53
-p sctp -m sctp --dport 53
-p sctp -m sctp ! --dport 53
-p sctp -m sctp --sport 1:10
-p icmp -m icmp --icmp-type 8
-p icmp -m icmp ! --icmp-type 8
-p icmp -m icmp --icmp-type 3/4
-p icmp -m icmp --icmp-type 3/5
-p icmp -m icmp --icmp-type any
-p tcp -m multiport --dports 53,80,8000:9000
-p tcp -m multiport ! --dports 53,80,8000:9000
-p udp -m multiport --sports 53
-p udp -m multiport --ports 53,9
-p tcp -m multiport ! --ports 80
-m recent --name never --rcheck
-m recent --name never ! --rcheck
-m recent --name never --rcheck --seconds 100 --rdest
-m recent --name always --set
-m recent --name always ! --set
-m physdev --physdev-is-bridged
-m physdev ! --physdev-is-bridged
-m physdev --physdev-in r0
-m physdev ! --physdev-in r0
-m devgroup --src-group 0x7
-m devgroup ! --src-group 0x7
-m devgroup --src-group 0x3/0x3
-m devgroup --src-group 0x0
-m dscp --dscp 0x2e
-m dscp ! --dscp 0x2e
-m tos --tos 0x10/0xff
-m tos ! --tos 0x10/0xff
-m iprange --src-range 10.77.1.1-10.77.1.3
-m iprange ! --dst-range 10.77.2.2-10.77.2.77
-m iprange --src-range 10.77.1.1-10.77.1.3 --dst-range 10.77.2.3-10.77.2.77
-m length --length 40
-m length ! --length 40
-m length --length 100:65535
-m mac --mac-source 02:00:00:00:01:02
-m mac ! --mac-source 02:00:00:00:01:02
-m mac ! --mac-source 02:00:00:00:01:03
-m pkttype --pkt-type unicast
-m pkttype ! --pkt-type unicast
-m ttl --ttl-eq 64
-m ttl ! --ttl-eq 64
-m ttl --ttl-lt 10
-m ttl --ttl-gt 10
-m helper --helper ftp
-m helper ! --helper ftp
-p tcp -m ecn --ecn-tcp-ece
-p tcp -m ecn ! --ecn-tcp-cwr
-m ecn --ecn-ip-ect 0
-m policy --dir in --pol none
-m policy --dir in --pol ipsec
-m rpfilter
-m rpfilter --invert
-m rpfilter --loose
-m rpfilter --validmark --accept-local
-m connlabel --label 5
-m connlabel ! --label 5
-p tcp -m tcpmss --mss 1:65535
-m set --match-set ips src
-m set ! --match-set ips src
-m set --match-set ips dst
-m set --match-set nets dst
-m set --match-set nets dst --return-nomatch
-m set ! --match-set nets dst
-m set --match-set pairs src,src
-m set --match-set pairs dst,dst
-m set --match-set triples src,dst,dst
-m set --match-set netports dst,dst
-m set --match-set ports dst
-m set --match-set ports src
-m set --match-set masked src
-m set --match-set ifaces src,src
-m set --match-set all src
-m socket
-m socket --nowildcard
-m socket --transparent --nowildcard
"""
BODIES6 = """
-s fd77:1::2
! -s fd77:1::2
-d fd77:2::/64
! -d fd77:2::2
-s fd77:1::2/ffff::ffff
! -s fd77:1::2/ffff::ffff
-i r0
! -i r0
-p tcp
! -p tcp
-p ipv6-icmp
-m addrtype --dst-type LOCAL
-m addrtype ! --dst-type LOCAL
-m addrtype --dst-type UNICAST
-m addrtype --dst-type MULTICAST
-m addrtype --dst-type UNREACHABLE
-m addrtype --dst-type LOCAL --limit-iface-in
-m addrtype --src-type LOCAL
-m conntrack --ctstate NEW
-m conntrack --ctstate INVALID
-m conntrack --ctorigdst fd77:2::/64
-m conntrack ! --ctreplsrc fd77:2::2
-p tcp -m tcp --dport 80
-p tcp -m tcp --syn
-p udp -m udp --dport 53
-p ipv6-icmp -m icmp6 --icmpv6-type 128
-p ipv6-icmp -m icmp6 ! --icmpv6-type 128
-m iprange --dst-range fd77:2::2-fd77:2::10
-m hl --hl-eq 64
-m hl ! --hl-eq 64
-m hl --hl-lt 64
-m tos --tos 0x10/0xff
-m length --length 100:200
-m length --length 60
-m frag --fragmore
-m rpfilter
-m rpfilter --loose --invert
-m set --match-set six dst
-m set ! --match-set six dst
-m mac --mac-source 02:00:00:00:01:02
-m pkttype --pkt-type unicast
-m recent --name never6 --rcheck
-m recent --name never6 ! --rcheck
"""
IPSETS = """
create ips hash:ip
add ips 10.77.1.2
create nets hash:net
add nets 10.77.0.0/16
add nets 10.77.2.0/24 nomatch
add nets 10.77.2.64/26
create pairs hash:ip,port
add pairs 10.77.1.2,tcp:40001
add pairs 10.77.2.2,udp:53
add pairs 10.77.2.2,icmp:8/0
create triples hash:ip,port,ip
add triples 10.77.1.2,tcp:80,10.77.2.2
create netports hash:net,port
add netports 10.77.2.0/24,tcp:80
add netports 10.77.2.0/24,sctp:53
create ports bitmap:port range 0-1024
add ports 53
add ports 999
create masked hash:ip netmask 24
add masked 10.77.1.99
create ifaces hash:net,iface
add ifaces 10.77.1.0/24,r0
create six hash:net family inet6
add six fd77:2::/64
add six fd77:2::77 nomatch
create all list:set
add all nets
add all ips
"""
PROGRAM = """*mangle
:CASES - [0:0]
-A PREROUTING -s {client} -j CASES
{rules}
COMMIT
"""
EFFECTLESS = "-j MARK --set-xmark 0x0/0x0"


@pytest.fixture(scope="module", autouse=True)
def _router() -> Iterator[None]:
    """The router with one rule per match, in both families."""
    with wires():
        ROUTER.ip("link set dev r0 group 7")
        succeed([*ROUTER.enter, "ipset", "restore"], stdin=IPSETS)
        for family, client, bodies in ((4, "10.77.1.2", BODIES), (6, "fd77:1::2", BODIES6)):
            rules = "\n".join(f"-A CASES {body} {EFFECTLESS}" for body in bodies.strip().splitlines())
            load(family, PROGRAM.format(client=client, rules=rules))
        yield


@pytest.mark.parametrize("sent", [*PACKETS4, *PACKETS6], ids=lambda sent: sent.name)
def test_the_same_rules_count_a_packet_as_are_said_to_match(sent: Sent) -> None:
    """Rules that depend on more than the packet may or may not count it; all others exactly."""
    outcomes = predicted(sent, "mangle", Hook.PREROUTING)
    surely = set.intersection(*(facts_of(outcome) for outcome in outcomes))
    perhaps = set.union(*(facts_of(outcome) for outcome in outcomes)) - surely

    counted = observed(sent, "mangle", "PREROUTING/1")

    bodies = (BODIES if sent.packet.family == 4 else BODIES6).strip().splitlines()
    doubtful = {bodies[int(rule.split("/")[1]) - 1] for rule in perhaps}
    assert doubtful <= ALLOWED_TO_FORK
    different = counted ^ surely
    assert {bodies[int(rule.split("/")[1]) - 1] for rule in different - perhaps} == set()


ALLOWED_TO_FORK = {
    body for body in BODIES.strip().splitlines() if body.startswith(("-p tcp -m tcpmss", "-m socket"))
}
