"""Whose a chain is, by its name: firewalls, container engines and networks that put rules of their own beside a proxy's.

Sources: the programs' own names: moby libnetwork/iptables.go, ufw src/ufw-init-functions, firewalld core/fw_zone.py,
libvirt src/network/bridge_driver_linux.c, tailscale util/linuxfw, containers/netavark, flannel pkg/trafficmngr/iptables
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A program that writes rules."""

    name: str
    chains: tuple[str, ...]
    """How its chains' names begin."""
    tables: tuple[str, ...] = ()
    """Its own tables in nftables."""
    remedy: str = ""
    """How it is told to let something pass; `{cidr}` stands for who should."""


OWNERS = (
    Owner(name="CNI's firewall plugin", chains=("CNI-FORWARD", "CNI-ADMIN", "CNI-ISOLATION")),
    Owner(name="CNI's portmap plugin", chains=("CNI-HOSTPORT", "CNI-DN-", "CNI-SN-")),
    Owner(
        name="Docker",
        chains=("DOCKER",),
        tables=("docker-bridges",),
        remedy="iptables -I DOCKER-USER -s {cidr} -j ACCEPT",
    ),
    Owner(name="fail2ban", chains=("f2b-",), tables=("f2b-table",), remedy="fail2ban-client status"),
    Owner(
        name="firewalld",
        chains=(
            "FWD",
            "FORWARD_",
            "INPUT_",
            "filter_FWD",
            "filter_FORWARD",
            "filter_INPUT",
            "filter_IN_",
            "IN_",
            "nat_PRE",
        ),
        tables=("firewalld",),
        remedy="firewall-cmd --permanent --zone=trusted --add-source={cidr} && firewall-cmd --reload",
    ),
    Owner(name="flannel", chains=("FLANNEL-",), tables=("flannel-ipv4", "flannel-ipv6")),
    Owner(name="kube-proxy", chains=("KUBE-",), tables=("kube-proxy",)),
    Owner(name="libvirt", chains=("LIBVIRT_", "guest_"), tables=("libvirt_network",)),
    Owner(name="Netavark (Podman)", chains=("NETAVARK",), tables=("netavark",)),
    Owner(name="Tailscale", chains=("ts-",)),
    Owner(name="ufw", chains=("ufw-", "ufw6-"), remedy="ufw route allow from {cidr}"),
)
"""Sorted by name."""


def owner_of(table: str, chain: str) -> Owner | None:
    """Whose chain this is."""
    return next((each for each in OWNERS if table in each.tables or chain.startswith(each.chains)), None)
