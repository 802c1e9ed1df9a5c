"""The rules that kube-proxy writes for many Services, as text for each back end."""

from collections.abc import Iterator

ENDPOINTS = 2


def cluster_ip(number: int) -> str:
    """Address of Service `number`."""
    return f"10.{96 + number // 65536}.{number // 256 % 256}.{number % 256}"


def endpoint(number: int, which: int) -> str:
    """Address of one of its endpoints."""
    return f"10.{128 + which}.{number // 256 % 256}.{number % 256}"


def iptables(services: int) -> str:
    """Eight rules a Service, as kube-proxy in iptables mode: `iptables-restore` text."""
    chains, rules = [], []
    for n in range(services):
        service, name = f"KUBE-SVC-{n:016d}", f"ns{n % 50}/svc{n}:http"
        chains.append(f":{service} - [0:0]")
        rules.append(
            f'-A KUBE-SERVICES -d {cluster_ip(n)}/32 -p tcp -m comment --comment "{name} cluster IP"'
            f" -m tcp --dport 80 -j {service}"
        )
        rules.append(
            f"-A {service} ! -s 10.244.0.0/16 -d {cluster_ip(n)}/32 -p tcp -m comment"
            f' --comment "{name} cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ'
        )
        for e in range(ENDPOINTS):
            chain, where = f"KUBE-SEP-{n:012d}{e:04d}", endpoint(n, e)
            chains.append(f":{chain} - [0:0]")
            share = " -m statistic --mode random --probability 0.50000000000" if e == 0 else ""
            rules.append(f'-A {service} -m comment --comment "{name} -> {where}:8080"{share} -j {chain}')
            rules.append(f'-A {chain} -s {where}/32 -m comment --comment "{name}" -j KUBE-MARK-MASQ')
            rules.append(
                f'-A {chain} -p tcp -m comment --comment "{name}" -m tcp'
                f" -j DNAT --to-destination {where}:8080"
            )
    head = [
        "*nat",
        ":PREROUTING ACCEPT [0:0]",
        ":INPUT ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":POSTROUTING ACCEPT [0:0]",
        ":KUBE-SERVICES - [0:0]",
        ":KUBE-MARK-MASQ - [0:0]",
        ":KUBE-POSTROUTING - [0:0]",
        *chains,
        "-A PREROUTING -j KUBE-SERVICES",
        "-A OUTPUT -j KUBE-SERVICES",
        "-A POSTROUTING -j KUBE-POSTROUTING",
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0",
        "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
    ]
    return "\n".join([*head, *rules, "COMMIT", ""])


def nftables(services: int) -> str:
    """One chain a Service and an element in the map, as kube-proxy in nftables mode: `nft -f` text."""
    return "\n".join(_nftables(services))


def _nftables(services: int) -> Iterator[str]:
    yield "table ip kube-proxy {"
    yield "\tset cluster-ips { type ipv4_addr; }"
    yield "\tmap service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }"
    for n in range(services):
        targets = ", ".join(f"{e} : {endpoint(n, e)} . 8080" for e in range(ENDPOINTS))
        yield f"\tchain service-{n:08d}-ns{n % 50}/svc{n}/tcp/http {{"
        yield f"\t\tmeta l4proto tcp dnat ip to numgen random mod {ENDPOINTS} map {{ {targets} }}"
        yield "\t}"
    yield "\tchain services {"
    yield "\t\tip daddr @cluster-ips ip saddr != 10.244.0.0/16 meta mark set meta mark or 0x4000"
    yield "\t\tip daddr . meta l4proto . th dport vmap @service-ips"
    yield "\t}"
    yield "\tchain nat-prerouting { type nat hook prerouting priority -100; policy accept; jump services; }"
    yield "\tchain nat-output { type nat hook output priority -100; policy accept; jump services; }"
    yield "\tchain nat-postrouting {"
    yield "\t\ttype nat hook postrouting priority 100; policy accept;"
    yield "\t\tmeta mark & 0x4000 == 0x4000 meta mark set meta mark xor 0x4000 masquerade fully-random"
    yield "\t}"
    yield "}"
    for first in range(0, services, 1000):
        block = range(first, min(first + 1000, services))
        yield "add element ip kube-proxy cluster-ips { " + ", ".join(cluster_ip(n) for n in block) + " }"
        yield (
            "add element ip kube-proxy service-ips { "
            + ", ".join(
                f"{cluster_ip(n)} . tcp . 80 : goto service-{n:08d}-ns{n % 50}/svc{n}/tcp/http" for n in block
            )
            + " }"
        )
    yield ""
