"""The helper match: which protocol helper expected the connection.

Kernel: net/netfilter/xt_helper.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import c_string, negation, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The helper's name; empty: any."""

    name: str
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_helper_info`."""
    del family
    return Spec(name=c_string(extension.data[4:34]), invert=any(extension.data[:4]))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Only connections that a helper foresaw have one."""
    del here
    if packet.connection is None or not packet.connection.expected_by:
        return spec.invert
    return Undecided("the helper of the connection is not recorded")


def words(spec: Spec) -> str:
    """`--helper ftp`."""
    return f"{negation(spec.invert)}--helper {quoted(spec.name)}"


MATCH = Match(
    name="helper", unpack=unpack, holds=holds, words=words, certainty="exact; forks on expected connections"
)
