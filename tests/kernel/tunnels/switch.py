"""Gives devices of the present network namespace to a datapath of Open vSwitch without flows: `switch.py dp0 veth0`.

The datapath's own device has its name. Nobody takes what it asks about, so it drops all.

Kernel: include/uapi/linux/openvswitch.h
"""

import socket
import sys

from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST, genlmsg
from pyroute2.netlink.generic import GenericNetlinkSocket

NEW, NETDEV = 1, 1
HEADER = (*genlmsg.fields, ("dp_ifindex", "i"))


class Datapath(genlmsg):  # type: ignore[misc] # pyroute2 has no types
    """`ovs_datapath`."""

    fields = HEADER
    nla_map = (("NONE", "none"), ("NAME", "asciiz"), ("UPCALL_PID", "uint32"))


class Port(genlmsg):  # type: ignore[misc] # pyroute2 has no types
    """`ovs_vport`."""

    fields = HEADER
    nla_map = (
        ("NONE", "none"),
        ("PORT_NO", "uint32"),
        ("TYPE", "uint32"),
        ("NAME", "asciiz"),
        ("OPTIONS", "none"),
        ("UPCALL_PID", "uint32"),
    )


def make(family: str, message: genlmsg, version: int, attributes: dict[str, object]) -> None:
    """One of this family."""
    with GenericNetlinkSocket() as wire:
        wire.bind(family, type(message))
        message["cmd"], message["version"] = NEW, version
        message["attrs"] = list(attributes.items())
        wire.nlm_request(message, msg_type=wire.prid, msg_flags=NLM_F_REQUEST | NLM_F_ACK)


def main(name: str, *devices: str) -> None:
    """One datapath with these devices."""
    make("ovs_datapath", Datapath(), 2, {"NAME": name, "UPCALL_PID": 0})
    for device in devices:
        port = Port()
        port["dp_ifindex"] = socket.if_nametoindex(name)
        make("ovs_vport", port, 1, {"TYPE": NETDEV, "NAME": device, "UPCALL_PID": 0})


if __name__ == "__main__":
    main(*sys.argv[1:])
