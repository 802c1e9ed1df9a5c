"""Rules of nftables by table and kind of chain, one a line, and what they need beside them."""

SETS = """
    set names { type ifname; elements = { "eth0", "lo" }; }
    set nets { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }
    set dyn { type ipv4_addr; flags dynamic,timeout; timeout 1h; size 100; }
    set meters { type ipv4_addr; size 128; flags dynamic; }
    set pairs { type ipv4_addr . inet_service; }
    map marks { type ipv4_addr : mark; elements = { 10.0.0.1 : 1 }; }
    map verdicts { type ipv4_addr . inet_proto . inet_service : verdict; }
    counter hits {
    }
    quota much { over 10 mbytes }
    limit few { rate 5/second }
    ct helper ftp { type "ftp" protocol tcp; }
    map helpers { type inet_service : counter; elements = { 80 : "hits" }; }
    chain other {
    }
"""

FILTER4 = """
accept
drop
return
continue
jump other
goto other
counter
counter drop
ip saddr 10.0.0.1
ip saddr != 10.0.0.1
ip saddr 10.0.0.0/8
ip saddr 10.0.0.0/12
ip daddr != 10.64.0.0/10
ip saddr 10.0.0.1-10.0.0.9
ip saddr != 10.0.0.1-10.0.0.9
ip saddr { 10.0.0.1, 10.0.0.2 }
ip saddr != { 10.0.0.1, 10.0.0.2 }
ip saddr { 10.0.0.0/8, 192.168.0.1-192.168.0.9 }
ip saddr @nets drop
ip saddr != @nets drop
ip saddr . ip daddr { 10.0.0.1 . 10.0.0.2, 10.0.0.3 . 10.0.0.4 }
ip saddr . tcp dport { 10.0.0.0/8 . 80-90, 10.0.0.1 . 443 }
ip daddr . tcp dport @pairs
ip daddr . meta l4proto . th dport vmap @verdicts
ip saddr vmap { 10.0.0.1 : accept, 10.0.0.2 : jump other }
ip protocol tcp
ip protocol { tcp, udp }
meta l4proto { tcp, udp } th dport 53
meta l4proto tcp
meta l4proto != tcp
ip ttl 5
ip ttl < 5
ip dscp cs1
ip dscp != ef
ip dscp set cs1
ip ecn ce
ip ttl set 5
ip saddr 10.0.0.1 ip daddr 10.0.0.2
tcp sport 1 tcp dport 2
ip length 100-200
ip frag-off & 0x1fff != 0
ip version 4
ip hdrlength 5
tcp dport 80
tcp dport != 80
tcp dport 80-90
tcp dport != 80-90
tcp dport > 1024
tcp dport <= 1024
tcp sport 1024-65535 tcp dport 22
tcp dport { 80, 443 }
tcp dport { 80, 8000-8100 }
tcp dport vmap { 22 : accept, 80 : drop }
tcp flags syn
tcp flags & (fin | syn | rst | ack) == syn
tcp flags & (fin | syn) == 0
tcp flags != syn
tcp option maxseg size 1-500
tcp option maxseg size set 1400
tcp option sack-perm exists
udp dport 53
udp length > 100
sctp dport 5000
th dport 53
icmp type echo-request
icmp type { echo-request, echo-reply }
icmp type destination-unreachable icmp code 4
icmp id 5
iif lo
iif != lo
iifname "eth0"
iifname != "eth0"
iifname "veth*"
iifname { "eth0", "eth1" }
oifname "eth0"
oifname @names
oif lo accept
iifname . ip saddr { "eth0" . 10.0.0.1 }
meta mark 0x1
meta mark != 0x1
meta mark & 0x4000 == 0x4000
meta mark & 0x4000 != 0
meta mark and 0xff00 == 0x1200
meta mark 1-10
meta mark { 0x1, 0x2 }
meta mark set 0x1
meta mark set meta mark | 0x4000
meta mark set meta mark ^ 0x4000
meta mark set meta mark & 0xffff00ff
meta mark set meta mark and 0xffff00ff or 0x1200
meta mark set ct mark
meta mark set ct mark and 0xff
meta mark set ip saddr map { 10.0.0.1 : 0x1, 10.0.0.2 : 0x2 }
meta mark set ip saddr map @marks
meta mark set numgen inc mod 3
meta mark set jhash ip saddr mod 4
meta mark set jhash ip saddr . ip daddr mod 4 seed 0x1234
meta mark set symhash mod 4
meta length > 1000
meta length 10-20
meta protocol ip
meta pkttype broadcast
meta skuid 1000
meta skuid != 1000
meta skuid { 1000, 1001 }
meta skgid 5
meta cpu 1
meta iiftype ether
meta iifkind "veth"
meta nftrace set 1
meta cgroup 5
ct state new
ct state established,related
ct state != established
ct state { new, established }
ct state vmap { invalid : drop, established : accept }
ct state invalid drop
ct status dnat
ct status snat,dnat
ct status != dnat
ct direction original
ct direction reply
ct mark 0x5
ct mark set 0x5
ct mark set meta mark
ct mark & 0xff == 0x5
ct mark set ct mark | 0x10
ct zone 1
ct original ip saddr 10.0.0.1
ct original ip daddr 10.0.0.0/24
ct reply ip daddr 10.0.0.2
ct protocol tcp
ct l3proto ipv4
ct count over 10
ct helper "ftp"
ct expiration 1m
ct bytes > 100
ct packets 5-10
fib daddr type local
fib saddr type != local
fib daddr type { local, broadcast }
fib saddr . iif oif 0
fib saddr . iif oif missing drop
fib saddr . mark oif exists
fib daddr . iif type local
fib saddr oifname "eth0"
numgen random mod 3 0
numgen random mod 2 vmap { 0 : jump other, 1 : accept }
numgen inc mod 100 < 50
rt nexthop 10.0.0.1
socket transparent 1
socket mark 0x1
limit rate 5/second
limit rate 5/minute burst 10 packets
limit rate over 10 mbytes/second
limit name "few"
quota over 10 mbytes
quota name "much"
counter name "hits"
counter name tcp dport map @helpers
ct helper set "ftp"
log
log prefix "x: "
log prefix "x" level debug
log group 5
log group 5 snaplen 100 queue-threshold 3 prefix "y"
log flags all
log flags tcp sequence,options
log flags skuid
reject
reject with tcp reset
tcp dport 80 reject with tcp reset
reject with icmp type host-unreachable
reject with icmp admin-prohibited
add @dyn { ip saddr }
update @dyn { ip saddr timeout 30s }
update @dyn { ip saddr timeout 30s counter }
delete @dyn { ip saddr }
add @meters { ip saddr limit rate 5/second }
update @meters { ip saddr ct count over 3 }
dup to 10.0.0.1
dup to 10.0.0.1 device "lo"
notrack
ct state new comment "a \'quoted\' comment"
ip saddr 10.0.0.1 tcp dport 80 counter accept comment "web"
@nh,64,8 1
@th,16,16 80
"""

FILTER6 = """
ip6 saddr fd00::1
ip6 saddr fd00::/64
ip6 saddr fd00::/65
ip6 daddr != fd00::/16
ip6 saddr { fd00::1, fd00::2 }
ip6 saddr { fd00::/64, fe80::1-fe80::9 }
ip6 nexthdr tcp
ip6 hoplimit 1
ip6 dscp cs1
ip6 dscp set cs1
ip6 hoplimit set 5
ip6 length 100
icmpv6 type echo-request
icmpv6 type { nd-neighbor-solicit, nd-router-advert }
icmpv6 type destination-unreachable icmpv6 code 4
reject
reject with icmpv6 type addr-unreachable
reject with icmpv6 type admin-prohibited
exthdr frag exists
fib daddr type local
ct original ip6 saddr fd00::1
ip6 daddr . meta l4proto . th dport { fd00::1 . tcp . 80 }
dup to fd00::1
"""

INET = """
ip saddr 10.0.0.1
ip6 saddr fd00::1
meta nfproto ipv4
meta nfproto ipv4 tcp dport 80
meta nfproto ipv6 drop
ip protocol tcp
ip saddr 10.0.0.1 tcp dport 80
ip saddr { 10.0.0.1, 10.0.0.2 } tcp dport { 80, 443 } accept
tcp dport 80
icmp type echo-request
icmpv6 type echo-request
ct state established,related accept
ct original ip saddr 10.0.0.1
ct original ip6 saddr fd00::1
reject
reject with icmpx type admin-prohibited
reject with icmp type host-unreachable
reject with icmpv6 type no-route
reject with tcp reset
fib saddr . iif oif missing drop
iifname "lo" accept
meta l4proto icmp accept
meta l4proto ipv6-icmp accept
meta protocol ip6 drop
ether saddr 00:11:22:33:44:55
"""

DESTINATION4 = """
dnat to 10.0.0.1
tcp dport 80 dnat to 10.0.0.1:8080
tcp dport 80 dnat to 10.0.0.1-10.0.0.9:8080-8090
tcp dport 80 dnat to :8080
dnat to 10.0.0.1 random
dnat to 10.0.0.1 persistent
dnat to numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }
meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 81 }
dnat to ip saddr map { 10.0.0.1 : 10.1.0.1, 10.0.0.2 : 10.1.0.2 }
dnat to jhash ip saddr mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }
dnat ip prefix to ip daddr map { 10.0.0.0/24 : 10.1.0.0/24 }
redirect
tcp dport 80 redirect to :8080
tcp dport 80 redirect to :8080-8090
udp dport 53 redirect to :5353 random
"""

SOURCE4 = """
masquerade
masquerade random
masquerade fully-random
masquerade random,persistent
tcp dport 80 masquerade to :1024-65535
snat to 10.0.0.1
snat to 10.0.0.1-10.0.0.9
tcp dport 80 snat to 10.0.0.1:1024-2048
oifname "eth0" snat to 10.0.0.1 fully-random
"""

DESTINATION6 = """
dnat to fd00::1
tcp dport 80 dnat to [fd00::1]:8080
tcp dport 80 dnat to [fd00::1]-[fd00::9]:8080
meta l4proto tcp dnat ip6 to numgen random mod 2 map { 0 : fd00::1 . 80, 1 : fd00::2 . 81 }
"""

DESTINATION_INET = """
dnat ip to 10.0.0.1
tcp dport 80 dnat ip to 10.0.0.1:8080
dnat ip6 to fd00::1
tcp dport 80 dnat ip6 to [fd00::1]:8080
meta nfproto ipv4 tcp dport 80 redirect to :8080
"""

MANGLE4 = """
tcp dport 80 tproxy to :8080
tcp dport 80 tproxy to 127.0.0.1:8080
tcp dport 80 tproxy to :8080 meta mark set 0x1 accept
"""

BLOCKS = (
    ("ip", "type filter hook input priority 0", FILTER4, SETS),
    ("ip6", "type filter hook input priority 0", FILTER6, ""),
    ("inet", "type filter hook input priority 0", INET, ""),
    ("ip", "type nat hook prerouting priority dstnat", DESTINATION4, ""),
    ("ip", "type nat hook postrouting priority srcnat", SOURCE4, ""),
    ("ip6", "type nat hook prerouting priority dstnat", DESTINATION6, ""),
    ("inet", "type nat hook prerouting priority dstnat", DESTINATION_INET, ""),
    ("ip", "type filter hook prerouting priority mangle", MANGLE4, ""),
)
"""Family of the table, its chain, the rules, and the sets and objects that they name."""
