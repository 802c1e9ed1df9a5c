"""Kernel settings of a namespace, combined as the kernel combines `all` with the device's own.

Kernel: include/linux/inetdevice.h IN_DEV_ORCONF, IN_DEV_MAXCONF
"""

from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Fact


def number(state: NamespaceState, key: str, default: int = 0) -> int:
    """A setting as a number; the default where the kernel has no such setting."""
    value = state.sysctl(key)
    try:
        return default if value is None else int(value.split()[0])
    except (ValueError, IndexError):
        return default


def largest(state: NamespaceState, device: Link, name: str) -> int:
    """The larger of `all` and the device's own value: `rp_filter`, and every switch that either may turn on."""
    return max(
        number(state, f"net/ipv4/conf/all/{name}"), number(state, f"net/ipv4/conf/{device.name}/{name}")
    )


def default_ttl(state: NamespaceState, family: int, device: Link | None = None) -> int:
    """The time to live of packets that a host sends itself; IPv6 asks the device by which they leave."""
    name = device.name if device is not None else "all"
    key = "net/ipv4/ip_default_ttl" if family == 4 else f"net/ipv6/conf/{name}/hop_limit"
    return number(state, key, 64)


def fact(node: str, state: NamespaceState, key: str) -> Fact:
    """The setting as evidence, written as sysctl prints it."""
    return Fact(section="sysctl", key=f"{node} {key}", text=f"{key.replace('/', '.')} = {state.sysctl(key)}")
