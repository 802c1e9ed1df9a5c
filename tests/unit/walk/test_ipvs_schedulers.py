"""Shares of servers, by scheduler."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address

import pytest
from unit.walk.states import packet

from kubectl_packetpath.packet import TCP
from kubectl_packetpath.snapshot.ipvs import RealServer, VirtualServer
from kubectl_packetpath.walk.ipvs_schedulers import FALLBACK, WITH_PORT, picks

SERVERS = tuple(
    RealServer(address=ip_address(f"10.1.0.{number}"), port=80, weight=weight)
    for number, weight in ((1, 1), (2, 2), (3, 0))
)
SYN = packet("10.9.0.1:40000 10.96.0.1:80")


def chosen(scheduler: str, servers: tuple[RealServer, ...] = SERVERS, **more: object) -> list[Fraction | int]:
    """The share of each server."""
    service = VirtualServer(
        protocol=TCP,
        address=SYN.destination,
        port=80,
        scheduler=scheduler,
        servers=servers,
        **more,  # type: ignore[arg-type]
    )
    found = {pick.server: pick.share for pick in picks(service, SYN)}
    return [found.get(server, 0) for server in servers]


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("rr", [Fraction(1, 2), Fraction(1, 2), 0]),
        ("wrr", [Fraction(1, 3), Fraction(2, 3), 0]),
        ("lc", [Fraction(1, 2), Fraction(1, 2), 0]),
        ("wlc", [Fraction(1, 3), Fraction(2, 3), 0]),
        ("fo", [0, 1, 0]),
        ("mh", [Fraction(1, 3), Fraction(2, 3), 0]),
    ],
)
def test_shares(scheduler: str, expected: list[Fraction | int]) -> None:
    """Weight 0 gets nothing new."""
    assert chosen(scheduler) == expected


def test_a_full_server_gets_nothing() -> None:
    """Its threshold is reached."""
    full = replace(SERVERS[0], upper_threshold=5, active=3, inactive=2)

    assert chosen("rr", (full, SERVERS[1])) == [0, 1]


def test_a_hash_chooses_one_server() -> None:
    """Always the same for one client, whatever its port."""
    assert sorted(chosen("sh", SERVERS[:2])) == [0, 1]


def test_a_bucket_of_a_quiesced_server_takes_nobody_but_falls_back_when_told_to() -> None:
    """`sh-fallback` looks for another one."""
    quiesced = tuple(replace(server, weight=0) for server in SERVERS[:2])

    assert chosen("sh", quiesced) == [0, 0]
    half = (quiesced[0], SERVERS[1])
    assert chosen("sh", half, flags=FALLBACK) == [0, 1]


def test_a_hash_over_a_port_that_the_kernel_chooses_shares_by_buckets() -> None:
    """Over all ports each server has its part of the table."""
    free = replace(SYN, sport_chosen=True)
    service = VirtualServer(
        protocol=TCP, address=SYN.destination, port=80, scheduler="sh", flags=WITH_PORT, servers=SERVERS[:2]
    )

    assert sum(pick.share for pick in picks(service, free)) == 1
    assert len(picks(service, free)) == 2
