"""Sysctls that change the path of a packet.

Kernel: Documentation/networking/ip-sysctl.rst, nf_conntrack-sysctl.rst, ipvs-sysctl.rst
"""

from collections.abc import Iterator
from pathlib import Path

from kubectl_packetpath.snapshot.sysctls import Sysctl

ROOT = "/proc/sys/"
WHOLE = (
    "net/ipv4/ip_forward", "net/ipv4/ip_nonlocal_bind", "net/ipv4/ip_local_port_range",
    "net/ipv4/ip_default_ttl", "net/ipv4/ip_no_pmtu_disc", "net/ipv4/ip_early_demux",
    "net/ipv4/fib_multipath_hash_policy", "net/ipv4/fib_multipath_use_neigh", "net/ipv4/fwmark_reflect",
    "net/ipv4/icmp_echo_ignore_all", "net/ipv4/icmp_errors_use_inbound_ifaddr",
    "net/ipv4/tcp_l3mdev_accept", "net/ipv4/udp_l3mdev_accept", "net/ipv4/tcp_fwmark_accept",
    "net/ipv6/bindv6only", "net/ipv6/ip_nonlocal_bind", "net/ipv6/fib_multipath_hash_policy",
    "net/ipv6/fwmark_reflect",
    "net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables",
    "net/bridge/bridge-nf-filter-vlan-tagged", "net/bridge/bridge-nf-pass-vlan-input-dev",
    "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_count",
    "net/netfilter/nf_conntrack_tcp_be_liberal", "net/netfilter/nf_conntrack_tcp_loose",
    "net/netfilter/nf_conntrack_acct", "net/netfilter/nf_conntrack_checksum",
    "net/ipv4/vs/conntrack", "net/ipv4/vs/conn_reuse_mode", "net/ipv4/vs/expire_nodest_conn",
    "net/ipv4/vs/expire_quiescent_template", "net/ipv4/vs/snat_reroute",
)  # fmt: skip
PER_DEVICE = {
    "ipv4": (
        "forwarding", "rp_filter", "accept_local", "route_localnet", "src_valid_mark", "arp_ignore",
        "arp_announce", "arp_filter", "proxy_arp", "proxy_arp_pvlan", "send_redirects", "accept_redirects",
    ),
    "ipv6": ("forwarding", "disable_ipv6", "proxy_ndp", "accept_ra", "use_tempaddr", "mtu"),
}  # fmt: skip


def settings() -> tuple[Sysctl, ...]:
    """All settings that this kernel has, of the namespace that the calling thread is in."""
    return tuple(_read())


def _read() -> Iterator[Sysctl]:
    for key in WHOLE:
        yield from one(key)
    for family, names in PER_DEVICE.items():
        try:
            devices = sorted(path.name for path in Path(f"{ROOT}net/{family}/conf").iterdir())
        except OSError:
            continue
        for device in devices:
            for name in names:
                yield from one(f"net/{family}/conf/{device}/{name}")


def one(key: str) -> Iterator[Sysctl]:
    """One setting, or nothing where the kernel does not have it."""
    try:
        yield Sysctl(key=key, value=Path(ROOT + key).read_text().strip())
    except OSError:
        return
