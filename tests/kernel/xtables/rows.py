"""Rules in the very words of `iptables-save`: per family and table, one line each.

Chains that a line jumps to are made before; the ipsets, too.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One rule."""

    family: int
    table: str
    line: str

    def __str__(self) -> str:
        """For the test's name."""
        return f"{self.family}-{self.table}:{self.line}"


_FILTER4 = """
-A INPUT
-A INPUT -j ACCEPT
-A INPUT -j DROP
-A INPUT -j RETURN
-A INPUT -j OTHER
-A INPUT -g OTHER
-A INPUT -s 10.0.0.0/8 -d 192.0.2.1/32 -j ACCEPT
-A INPUT ! -s 10.0.0.0/8 ! -d 192.0.2.1/32 -j ACCEPT
-A INPUT -s 10.0.0.1/255.0.0.255 -j ACCEPT
-A FORWARD -i eth0 -o veth+ -j ACCEPT
-A FORWARD ! -i eth0 ! -o veth+ -j ACCEPT
-A INPUT -p tcp -j ACCEPT
-A INPUT -p udp -j ACCEPT
-A INPUT -p sctp -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p gre -j ACCEPT
-A INPUT -p ipencap -j ACCEPT
-A INPUT -p ipv6 -j ACCEPT
-A INPUT -p esp -j ACCEPT
-A INPUT -p ah -j ACCEPT
-A INPUT -p udplite -j ACCEPT
-A INPUT -p igmp -j ACCEPT
-A INPUT -p 200 -j ACCEPT
-A INPUT ! -p tcp -j ACCEPT
-A INPUT -f -j ACCEPT
-A INPUT ! -f -j ACCEPT
-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT
-A INPUT -m addrtype ! --src-type LOCAL,BROADCAST ! --dst-type UNICAST -j ACCEPT
-A INPUT -m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT
-A INPUT -m comment --comment plain -j ACCEPT
-A INPUT -m comment --comment "two words and \\"quotes\\", it\\'s" -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID,NEW,UNTRACKED,SNAT,DNAT -j ACCEPT
-A INPUT -m conntrack ! --ctstate INVALID -j ACCEPT
-A INPUT -m conntrack --ctproto 6 --ctorigsrc 10.0.0.0/8 --ctorigdst 10.0.0.1 ! --ctreplsrc 10.0.0.2 --ctrepldst 10.0.0.3 -j ACCEPT
-A INPUT -m conntrack --ctproto 6 --ctorigdstport 80 -j ACCEPT
-A INPUT -m conntrack --ctproto 17 --ctorigsrcport 80:90 --ctreplsrcport 1 ! --ctrepldstport 2 -j ACCEPT
-A INPUT -m conntrack --ctstatus ASSURED,CONFIRMED -j ACCEPT
-A INPUT -m conntrack --ctexpire 10:20 -j ACCEPT
-A INPUT -m conntrack --ctdir REPLY -j ACCEPT
-A INPUT -m conntrack --ctdir ORIGINAL -j ACCEPT
-A INPUT -m state --state NEW -j ACCEPT
-A INPUT -m mark --mark 0x4000/0x4000 -j ACCEPT
-A INPUT -m mark ! --mark 0x1 -j ACCEPT
-A INPUT -m connmark --mark 0x4000/0x4000 -j ACCEPT
-A INPUT -m connmark ! --mark 0x1 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT
-A INPUT -p tcp -m tcp --sport 1024:65535 ! --dport 80:90 -j ACCEPT
-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT
-A INPUT -p tcp -m tcp ! --tcp-flags SYN,PSH,URG NONE -j ACCEPT
-A INPUT -p tcp -m tcp --tcp-option 2 -j ACCEPT
-A INPUT -p udp -m udp --dport 53 -j ACCEPT
-A INPUT -p udp -m udp ! --sport 5:6 -j ACCEPT
-A INPUT -p sctp -m sctp --dport 53 -j ACCEPT
-A INPUT -p sctp -m sctp ! --sport 5:6 --chunk-types any DATA,INIT -j ACCEPT
-A INPUT -p sctp -m sctp --chunk-types all INIT -j ACCEPT
-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A INPUT -p icmp -m icmp ! --icmp-type 3/4 -j ACCEPT
-A INPUT -p icmp -m icmp --icmp-type any -j ACCEPT
-A INPUT -p tcp -m multiport --dports 80,443,8000:8080 -j ACCEPT
-A INPUT -p udp -m multiport --sports 80 -j ACCEPT
-A INPUT -p tcp -m multiport ! --ports 80,90 -j ACCEPT
-A INPUT -m statistic --mode random --probability 0.33333333349 -j ACCEPT
-A INPUT -m statistic --mode random ! --probability 0.50000000000 -j ACCEPT
-A INPUT -m statistic --mode nth --every 3 --packet 0 -j ACCEPT
-A INPUT -m statistic --mode nth ! --every 3 --packet 2 -j ACCEPT
-A INPUT -m recent --set --name DEFAULT --mask 255.255.255.255 --rsource -j ACCEPT
-A INPUT -m recent --rcheck --seconds 10 --reap --name KUBE-SEP-X --mask 255.255.255.255 --rsource -j ACCEPT
-A INPUT -m recent ! --update --seconds 10 --hitcount 3 --rttl --name x --mask 255.255.0.0 --rdest -j ACCEPT
-A INPUT -m recent --remove --name x --mask 255.255.0.0 --rdest -j ACCEPT
-A FORWARD -m physdev --physdev-in veth+ --physdev-is-bridged -j ACCEPT
-A FORWARD -m physdev --physdev-is-in ! --physdev-out eth0 -j ACCEPT
-A INPUT -m dscp --dscp 0x2e -j ACCEPT
-A INPUT -m dscp ! --dscp 0x00 -j ACCEPT
-A INPUT -m tos --tos 0x10/0x3f -j ACCEPT
-A INPUT -m tos ! --tos 0x10/0xff -j ACCEPT
-A INPUT -m iprange --src-range 10.0.0.1-10.0.0.9 -j ACCEPT
-A INPUT -m iprange ! --src-range 10.0.0.1-10.0.0.9 ! --dst-range 1.1.1.1-1.1.1.2 -j ACCEPT
-A INPUT -m length --length 100 -j ACCEPT
-A INPUT -m length ! --length 100:200 -j ACCEPT
-A INPUT -m length --length 0:200 -j ACCEPT
-A INPUT -m limit --limit 5/min -j ACCEPT
-A INPUT -m limit --limit 10/sec --limit-burst 20 -j ACCEPT
-A INPUT -m limit --limit 7/hour -j ACCEPT
-A INPUT -m mac --mac-source 00:11:22:aa:bb:cc -j ACCEPT
-A INPUT -m mac ! --mac-source 00:11:22:aa:bb:cc -j ACCEPT
-A INPUT -m pkttype --pkt-type broadcast -j ACCEPT
-A INPUT -m pkttype ! --pkt-type unicast -j ACCEPT
-A OUTPUT -m owner --uid-owner 0 -j ACCEPT
-A OUTPUT -m owner ! --uid-owner 100-200 --gid-owner 5 -j ACCEPT
-A OUTPUT -m owner --socket-exists -j ACCEPT
-A INPUT -m string --string "GET /x" --algo bm -j ACCEPT
-A INPUT -m string ! --string "abc" --algo kmp --from 40 --to 100 --icase -j ACCEPT
-A INPUT -m string --hex-string "|0a0b|" --algo bm -j ACCEPT
-A INPUT -p tcp -m tcpmss --mss 1:500 -j ACCEPT
-A INPUT -p tcp -m tcpmss ! --mss 500 -j ACCEPT
-A INPUT -m time --timestart 08:00:00 --timestop 17:30:00 --weekdays Mon,Tue --datestop 2038-01-19T03:14:07 -j ACCEPT
-A INPUT -m time --monthdays 1,2,31 --datestart 2030-01-01T00:00:00 --datestop 2030-02-01T00:00:00 -j ACCEPT
-A INPUT -m u32 --u32 "0x0>>0x16&0x3c@0x0=0x50:0x5a" -j ACCEPT
-A INPUT -m ttl --ttl-eq 64 -j ACCEPT
-A INPUT -m ttl ! --ttl-eq 64 -j ACCEPT
-A INPUT -m ttl --ttl-lt 5 -j ACCEPT
-A INPUT -m ttl --ttl-gt 5 -j ACCEPT
-A INPUT -m cluster --cluster-local-nodemask 0x00000001 --cluster-total-nodes 2 --cluster-hash-seed 0xdeadbeef -j ACCEPT
-A INPUT -m connbytes --connbytes 100:200 --connbytes-mode bytes --connbytes-dir both -j ACCEPT
-A INPUT -m connbytes ! --connbytes 100 --connbytes-mode packets --connbytes-dir original -j ACCEPT
-A INPUT -m connlimit --connlimit-upto 5 --connlimit-mask 32 --connlimit-saddr -j ACCEPT
-A INPUT -m connlimit --connlimit-above 5 --connlimit-mask 24 --connlimit-daddr -j ACCEPT
-A INPUT -m helper --helper ftp -j ACCEPT
-A INPUT -m helper ! --helper ftp -j ACCEPT
-A INPUT -p ah -m ah --ahspi 5:6 -j ACCEPT
-A INPUT -p esp -m esp --espspi 5 -j ACCEPT
-A INPUT -m ecn --ecn-ip-ect 1 -j ACCEPT
-A INPUT -p tcp -m ecn ! --ecn-tcp-ece --ecn-tcp-cwr -j ACCEPT
-A INPUT -m policy --dir in --pol none -j ACCEPT
-A INPUT -m policy --dir in --pol ipsec --proto esp -j ACCEPT
-A INPUT -m policy --dir in --pol ipsec --strict --reqid 1 --mode tunnel -j ACCEPT
-A INPUT -m realm --realm 0x1 -j ACCEPT
-A INPUT -m quota --quota 1000 -j ACCEPT
-A INPUT -m set --match-set pairs src,dst -j ACCEPT
-A INPUT -m set ! --match-set nets dst -j ACCEPT
-A INPUT -m set --match-set nets src --return-nomatch ! --update-counters -j ACCEPT
-A INPUT -m set --match-set counted src --packets-gt 5 ! --bytes-eq 3 -j ACCEPT
-A INPUT -m devgroup --src-group 0x1 -j ACCEPT
-A INPUT -m cpu --cpu 0 -j ACCEPT
-A INPUT -m socket -j ACCEPT
-A INPUT -m connlabel --label "5" -j ACCEPT
-A INPUT -m bpf --bytecode "1,6 0 0 1" -j ACCEPT
-A INPUT -j LOG
-A INPUT -j LOG --log-prefix "dropped: " --log-level 6 --log-tcp-options --log-uid
-A INPUT -j NFLOG
-A INPUT -j NFLOG --nflog-prefix "x y" --nflog-group 3 --nflog-size 64 --nflog-threshold 2
-A INPUT -j REJECT --reject-with icmp-port-unreachable
-A INPUT -j REJECT --reject-with icmp-net-unreachable
-A INPUT -j REJECT --reject-with icmp-host-unreachable
-A INPUT -j REJECT --reject-with icmp-proto-unreachable
-A INPUT -j REJECT --reject-with icmp-net-prohibited
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A INPUT -j REJECT --reject-with icmp-admin-prohibited
-A INPUT -p tcp -j REJECT --reject-with tcp-reset
-A INPUT -j NFQUEUE --queue-num 0
-A INPUT -j NFQUEUE --queue-num 3 --queue-bypass
-A INPUT -j NFQUEUE --queue-balance 0:3 --queue-bypass --queue-cpu-fanout
-A INPUT -j MARK --set-xmark 0x4000/0x4000
-A INPUT -j CONNMARK --set-xmark 0x1/0xffffffff
-A INPUT -j SET --add-set nets src
-A INPUT -j SET --add-set nets src --exist --timeout 60
-A INPUT -j SET --del-set pairs dst,src
-A FORWARD -j AUDIT --type accept
"""

_MANGLE4 = """
-A PREROUTING -j MARK --set-xmark 0x4000/0x4000
-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff
-A PREROUTING -j MARK --set-xmark 0x4000/0x0
-A PREROUTING -j CONNMARK --set-xmark 0x1/0xff
-A PREROUTING -j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0xff
-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff
-A PREROUTING -m rpfilter -j ACCEPT
-A PREROUTING -m rpfilter --loose --validmark --accept-local --invert -j ACCEPT
-A PREROUTING -m socket -j ACCEPT
-A PREROUTING -m socket --transparent -j ACCEPT
-A PREROUTING -m socket --nowildcard --restore-skmark -j ACCEPT
-A PREROUTING -p tcp -j TPROXY --on-port 80 --on-ip 127.0.0.1 --tproxy-mark 0x1/0xffffffff
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1400
-A FORWARD -j CLASSIFY --set-class 0001:000a
-A FORWARD -j DSCP --set-dscp 0x2e
-A FORWARD -j TOS --set-tos 0x10/0xff
-A FORWARD -j TTL --ttl-set 5
-A FORWARD -j TTL --ttl-inc 1
-A FORWARD -j TTL --ttl-dec 1
-A FORWARD -j TEE --gateway 10.0.0.1
-A FORWARD -p udp -j CHECKSUM --checksum-fill
-A FORWARD -p tcp -j TCPOPTSTRIP --strip-options 8
-A FORWARD -p tcp -j ECN --ecn-tcp-remove
"""

_RAW4 = """
-A PREROUTING -j NOTRACK
-A PREROUTING -j CT --notrack
-A PREROUTING -j CT --zone 5
-A PREROUTING -j CT --zone-orig 5
-A PREROUTING -j CT --zone mark
-A PREROUTING -j CT --ctevents new,destroy
-A PREROUTING -j TRACE
"""

_NAT4 = """
-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1
-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1:80
-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80-90 --random --persistent
-A PREROUTING -p tcp -j DNAT --to-destination :80
-A PREROUTING -p tcp -m tcp --dport 1000:2000 -j DNAT --to-destination 10.0.0.1:3000-4000/1000
-A PREROUTING -p tcp -j REDIRECT
-A PREROUTING -p tcp -j REDIRECT --to-ports 80
-A PREROUTING -p tcp -j REDIRECT --to-ports 80-90 --random
-A PREROUTING -d 10.1.0.0/16 -j NETMAP --to 10.2.0.0/16
-A PREROUTING -d 10.1.0.1/32 -j NETMAP --to 10.2.0.1/32
-A POSTROUTING -j MASQUERADE
-A POSTROUTING -j MASQUERADE --random-fully
-A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2048 --random
-A POSTROUTING -j SNAT --to-source 192.0.2.1
-A POSTROUTING -p udp -j SNAT --to-source 192.0.2.1-192.0.2.9:1024-2048 --random-fully --persistent
"""

_FILTER6 = """
-A INPUT -s fd00::/64 -d fd00::1/128 -j ACCEPT
-A INPUT ! -s fd00::1/ffff::ffff -j ACCEPT
-A INPUT -p ipv6-icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT
-A INPUT ! -p udp -j ACCEPT
-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT
-A INPUT -p ipv6-icmp -m icmp6 ! --icmpv6-type 1/4 -j ACCEPT
-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT
-A INPUT -m conntrack --ctorigsrc fd00::/8 --ctreplsrc fd00::1 -j ACCEPT
-A INPUT -m recent --rcheck --seconds 10 --name y --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource -j ACCEPT
-A INPUT -m iprange --dst-range fd00::1-fd00::9 -j ACCEPT
-A INPUT -m set --match-set nets6 dst -j ACCEPT
-A INPUT -m hl --hl-eq 64 -j ACCEPT
-A INPUT -m hl ! --hl-eq 64 -j ACCEPT
-A INPUT -m hl --hl-lt 64 -j ACCEPT
-A INPUT -m frag --fragmore -j ACCEPT
-A INPUT -m connlimit --connlimit-upto 5 --connlimit-mask 128 --connlimit-saddr -j ACCEPT
-A INPUT -m cluster --cluster-local-nodemask 0x00000001 --cluster-total-nodes 2 --cluster-hash-seed 0x00000001 -j ACCEPT
-A INPUT -j OTHER
-A INPUT -g OTHER
-A INPUT
-A INPUT -j REJECT --reject-with icmp6-port-unreachable
-A INPUT -j REJECT --reject-with icmp6-no-route
-A INPUT -j REJECT --reject-with icmp6-adm-prohibited
-A INPUT -j REJECT --reject-with icmp6-addr-unreachable
-A INPUT -j REJECT --reject-with icmp6-policy-fail
-A INPUT -j REJECT --reject-with icmp6-reject-route
-A INPUT -p tcp -j REJECT --reject-with tcp-reset
-A INPUT -j LOG --log-prefix x
"""

_MANGLE6 = """
-A PREROUTING -m rpfilter --loose -j ACCEPT
-A PREROUTING -p tcp -j TPROXY --on-port 80 --on-ip ::1 --tproxy-mark 0x1/0xffffffff
-A FORWARD -j HL --hl-set 5
-A FORWARD -j HL --hl-dec 1
-A FORWARD -j TEE --gateway fd00::1
"""

_NAT6 = """
-A PREROUTING -p tcp -j DNAT --to-destination fd00::1
-A PREROUTING -p tcp -j DNAT --to-destination [fd00::1]:80
-A PREROUTING -p tcp -j DNAT --to-destination [fd00::1-fd00::9]:80-90
-A PREROUTING -p tcp -j REDIRECT --to-ports 80
-A PREROUTING -d fd01::/64 -j NETMAP --to fd02::/64
-A POSTROUTING -j MASQUERADE --random-fully
-A POSTROUTING -j SNAT --to-source fd00::1
"""

BLOCKS = (
    (4, "filter", _FILTER4),
    (4, "mangle", _MANGLE4),
    (4, "raw", _RAW4),
    (4, "nat", _NAT4),
    (6, "filter", _FILTER6),
    (6, "mangle", _MANGLE6),
    (6, "nat", _NAT6),
)
ROWS = tuple(
    Row(family, table, line) for family, table, block in BLOCKS for line in block.strip().splitlines()
)
IPSETS = """
create nets hash:net counters
create counted hash:ip counters
create pairs hash:ip,port
create nets6 hash:net family inet6
"""
