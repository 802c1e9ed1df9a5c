"""Pods of the AWS VPC CNI: addresses of their own from the VPC, behind two network interfaces of the node.

The node's state is what these files of aws/amazon-vpc-cni-k8s make:
- cmd/routed-eni-cni-plugin/driver/driver.go: the pod's route and neighbour 169.254.1.1, `podIP dev eni… scope link`, and
  rules 512 (to a pod: main) and 1536 (from a pod of a secondary interface: its table);
- pkg/networkutils/network.go: rule 1024 (mark 0x80: main), table 2 of the second interface, whose subnet leaves main,
  AWS-SNAT-CHAIN-0 (--random-fully), AWS-CONNMARK-CHAIN-0, the mark 0x80 in mangle PREROUTING; before 1.12 there was
  one AWS-SNAT-CHAIN-n for each CIDR of the VPC;
- pkg/networkutils/nftables_connmark.go: the newer table `aws-cni` in the place of AWS-CONNMARK-CHAIN-0;
- cmd/aws-vpc-cni-init/main.go: rp_filter 2 on the primary interface.
"""

from kernel.lab import Lab
from kernel.networks.pods import digest_of, join, mac_of, speak_for_others

NODE, SECOND = "10.0.0.10", "10.0.0.20"
ONE, TWO, THERE = "10.0.0.11", "10.0.0.21", "10.0.0.31"
PODS = {"one": ONE, "two": TWO}
"""`one` is behind the primary interface, `two` behind the second."""
INTERNET, EXCLUDED = "203.0.113.9", "172.16.9.9"
NODE_PORT = 30080
ON_THE_WIRE = {"eth0": (NODE, ONE), "eth1": (SECOND, TWO)}

CONNMARK = """
*mangle
-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in \
-j CONNMARK --set-xmark 0x80/0x80
-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
COMMIT
"""
SERVICE = f"""
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-EXT-WEB - [0:0]
:KUBE-SVL-WEB - [0:0]
:KUBE-SEP-TWO - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" \
-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport {NODE_PORT} -j KUBE-EXT-WEB
-A KUBE-EXT-WEB -j KUBE-SVL-WEB
-A KUBE-SVL-WEB -m comment --comment "default/web -> {TWO}:80" -j KUBE-SEP-TWO
-A KUBE-SEP-TWO -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination {TWO}:80
"""
"""A node port with `externalTrafficPolicy: Local`: the client keeps its address."""
PREROUTING = """
-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
"""
SNAT = f'-m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source {NODE} --random-fully'
MARK = '-m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80'
ONE_CHAIN = f"""{CONNMARK}
*nat
:AWS-SNAT-CHAIN-0 - [0:0]
:AWS-CONNMARK-CHAIN-0 - [0:0]
{SERVICE}{PREROUTING}
-A AWS-SNAT-CHAIN-0 -d 172.16.0.0/12 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN
-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-A AWS-SNAT-CHAIN-0 ! -o vlan+ {SNAT}
-A AWS-CONNMARK-CHAIN-0 -d 172.16.0.0/12 -m comment --comment "AWS CONNMARK CHAIN, EXCLUDED CIDR" -j RETURN
-A AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j RETURN
-A AWS-CONNMARK-CHAIN-0 {MARK}
COMMIT
"""
CHAIN_FOR_EACH = f"""{CONNMARK}
*nat
:AWS-SNAT-CHAIN-0 - [0:0]
:AWS-SNAT-CHAIN-1 - [0:0]
:AWS-SNAT-CHAIN-2 - [0:0]
:AWS-CONNMARK-CHAIN-0 - [0:0]
:AWS-CONNMARK-CHAIN-1 - [0:0]
:AWS-CONNMARK-CHAIN-2 - [0:0]
{SERVICE}{PREROUTING}
-A AWS-SNAT-CHAIN-0 ! -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-1
-A AWS-SNAT-CHAIN-1 ! -d 172.16.0.0/12 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j AWS-SNAT-CHAIN-2
-A AWS-SNAT-CHAIN-2 ! -o vlan+ {SNAT}
-A AWS-CONNMARK-CHAIN-0 ! -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j AWS-CONNMARK-CHAIN-1
-A AWS-CONNMARK-CHAIN-1 ! -d 172.16.0.0/12 -m comment --comment "AWS CONNMARK CHAIN, EXCLUDED CIDR" \
-j AWS-CONNMARK-CHAIN-2
-A AWS-CONNMARK-CHAIN-2 {MARK}
COMMIT
"""
BY_NFTABLES = """
table ip aws-cni {
  chain nat-prerouting {
    type nat hook prerouting priority -90; policy accept;
    fib daddr type local return
    iifname "eni*" counter jump snat-mark
    ct mark & 0x80 == 0x0 counter meta mark set meta mark & 0xffffff7f
    ct mark & 0x80 == 0x80 counter meta mark set meta mark | 0x80
  }
  chain snat-mark {
    counter ip daddr 172.16.0.0/12 return
    counter ip daddr 10.0.0.0/16 return
    counter ct mark set ct mark | 0x80
  }
}
"""
NOTHING = "*nat\nCOMMIT\n*mangle\nCOMMIT\n"
EXTERNAL = f"{CONNMARK}\n*nat\n{SERVICE}COMMIT\n"
"""AWS_VPC_K8S_CNI_EXTERNALSNAT=true: a gateway of the VPC translates."""


def veth(pod: str) -> str:
    """The host's end of a pod's veth (pkg/networkutils/names.go)."""
    return f"eni{digest_of(pod)}"


def add_pod(made: Lab, host: str, pod: str, address: str, table: int | None = None) -> None:
    """What the plugin does for a pod."""
    join(made, host, pod, veth(pod), address)
    made[host].ip(f"rule add to {address} priority 512 table main")
    if table is not None:
        made[host].ip(f"rule add from {address} priority 1536 table {table}")


def build(made: Lab) -> None:
    """A node with two interfaces in a VPC, a pod behind each, another node, and the internet."""
    made.add("host-aws", "one", "two", "vpc", "other", "there", "internet")
    for device, wire in ON_THE_WIRE.items():
        made.connect(("host-aws", device), ("vpc", device))
        made["host-aws"].ip(f"addr add {wire[0]}/20 dev {device}")
        made["vpc"].ip(f"addr add 10.0.0.1/32 dev {device}", *_delivers(*wire, device))
    made["host-aws"].ip(
        "route add default via 10.0.0.1 dev eth0",
        f"route del 10.0.0.0/20 dev eth1 src {SECOND}",
        "route add 10.0.0.1 dev eth1 scope link table 2",
        "route add default via 10.0.0.1 dev eth1 table 2",
        "rule add fwmark 0x80/0x80 priority 1024 table main",
    )
    made["host-aws"].ip(f"neigh add 10.0.0.1 lladdr {mac_of(made, 'vpc', 'eth1')} dev eth1 nud permanent")
    add_pod(made, "host-aws", "one", ONE)
    add_pod(made, "host-aws", "two", TWO, table=2)
    _add_others(made)
    made["host-aws"].sysctls({"net/ipv4/ip_forward": 1})


def _add_others(made: Lab) -> None:
    """What is around the node; the VPC drops what comes from an interface that has not the packet's source."""
    made.connect(("other", "eth0"), ("vpc", "other"))
    made["other"].ip("addr add 10.0.0.30/20 dev eth0", "route add default via 10.0.0.1")
    made["vpc"].ip("addr add 10.0.0.1/32 dev other", *_delivers("10.0.0.30", THERE, "other"))
    add_pod(made, "other", "there", THERE)
    made.connect(("internet", "eth0"), ("vpc", "internet"))
    made["vpc"].ip("addr add 198.51.100.1/24 dev internet", "route add default via 198.51.100.2")
    made["internet"].ip(
        "addr add 198.51.100.2/24 dev eth0",
        *(f"addr add {each}/32 dev lo" for each in (INTERNET, EXCLUDED)),
        "route add default via 198.51.100.1",
    )
    for name in ("vpc", "other"):
        made[name].sysctls({"net/ipv4/ip_forward": 1})
    for device in (*ON_THE_WIRE, "other"):
        speak_for_others(made, "vpc", device)
    made["vpc"].sysctls({f"net/ipv4/conf/{each}/rp_filter": 1 for each in ON_THE_WIRE})
    for name in ("one", "two", "there", "internet"):
        made.serve(name, "tcp:80")


def _delivers(own: str, pod: str, device: str) -> tuple[str, str]:
    """The VPC knows the interface of each address: it asks for none but the interface's own."""
    return f"route add {own} dev {device}", f"route add {pod} via {own} dev {device}"
