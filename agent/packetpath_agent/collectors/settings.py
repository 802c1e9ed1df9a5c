"""Sysctls that change the path of a packet.

Kernel: Documentation/networking/ip-sysctl.rst, nf_conntrack-sysctl.rst, ipvs-sysctl.rst
"""

import os
from collections.abc import Iterator
from pathlib import Path

from kubectl_packetpath.snapshot.sysctls import Sysctl

ROOT = "/proc/sys/"
FOLDERS = ("net/ipv4/vs", "net/ipv6/icmp")
"""All settings in these."""
WHOLE = (
    "net/ipv4/ip_forward", "net/ipv4/ip_nonlocal_bind", "net/ipv4/ip_local_port_range",
    "net/ipv4/ip_local_reserved_ports", "net/ipv4/ip_default_ttl", "net/ipv4/ip_no_pmtu_disc",
    "net/ipv4/ip_early_demux", "net/ipv4/ip_forward_use_pmtu", "net/ipv4/fib_multipath_hash_policy",
    "net/ipv4/fib_multipath_hash_fields", "net/ipv4/fib_multipath_use_neigh", "net/ipv4/fwmark_reflect",
    "net/ipv4/icmp_echo_ignore_all", "net/ipv4/icmp_errors_use_inbound_ifaddr",
    "net/ipv4/tcp_l3mdev_accept", "net/ipv4/udp_l3mdev_accept", "net/ipv4/raw_l3mdev_accept",
    "net/ipv4/tcp_fwmark_accept", "net/ipv6/bindv6only", "net/ipv6/ip_nonlocal_bind",
    "net/ipv6/fib_multipath_hash_policy", "net/ipv6/fwmark_reflect",
    "net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables",
    "net/bridge/bridge-nf-call-arptables", "net/bridge/bridge-nf-filter-vlan-tagged",
    "net/bridge/bridge-nf-pass-vlan-input-dev",
    "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_count",
    "net/netfilter/nf_conntrack_tcp_be_liberal", "net/netfilter/nf_conntrack_tcp_loose",
    "net/netfilter/nf_conntrack_acct", "net/netfilter/nf_conntrack_checksum",
    "net/netfilter/nf_conntrack_helper",
)  # fmt: skip
PER_DEVICE = {
    "ipv4": (
        "forwarding", "rp_filter", "accept_local", "route_localnet", "src_valid_mark", "arp_ignore",
        "arp_announce", "arp_filter", "proxy_arp", "proxy_arp_pvlan", "send_redirects", "accept_redirects",
        "ignore_routes_with_linkdown", "disable_policy", "disable_xfrm",
    ),
    "ipv6": (
        "forwarding", "force_forwarding", "disable_ipv6", "proxy_ndp", "accept_ra", "use_tempaddr", "mtu",
        "use_oif_addrs_only", "hop_limit", "ignore_routes_with_linkdown", "disable_policy",
    ),
}  # fmt: skip


def settings() -> tuple[Sysctl, ...]:
    """All settings that this kernel has, of the namespace that the calling thread is in."""
    return tuple(_read())


def _read() -> Iterator[Sysctl]:
    for key in WHOLE:
        yield from _one(key)
    for folder in FOLDERS:
        for name in _names(folder):
            yield from _one(f"{folder}/{name}")
    for family, names in PER_DEVICE.items():
        for device in _names(f"net/{family}/conf"):
            for name in names:
                yield from _one(f"net/{family}/conf/{device}/{name}")


def _names(folder: str) -> list[str]:
    try:
        return sorted(path.name for path in Path(ROOT + folder).iterdir())
    except OSError:
        return []


def _one(key: str) -> Iterator[Sysctl]:
    """One setting, or nothing where the kernel does not have it."""
    try:
        file = os.open(ROOT + key, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        value = os.read(file, 4096)
    except OSError:
        return
    finally:
        os.close(file)
    plain = os.fsencode(key).decode("utf-8", "backslashreplace")
    yield Sysctl(key=plain, value=value.decode("utf-8", "backslashreplace").strip())
