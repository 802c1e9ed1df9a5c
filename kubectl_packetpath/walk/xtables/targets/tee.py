"""The TEE target: a copy goes to another machine; the packet goes on.

Kernel: net/netfilter/xt_TEE.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted
from kubectl_packetpath.walk.xtables.fields import address_of, c_string


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Where the copy goes."""

    gateway: Address
    device: str


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_tee_tginfo`."""
    data = extension.data
    return Spec(gateway=address_of(data, 0, family), device=c_string(data[16:32]))


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on; the copy is not followed."""
    del here
    yield from noted(packet, history, because, f"a copy goes to {spec.gateway}")


def words(spec: Spec) -> str:
    """`--gateway 10.0.0.1`."""
    return f"--gateway {spec.gateway}" + (f" --oif {spec.device}" if spec.device else "")


TARGET = Target(name="TEE", revisions=(1,), unpack=unpack, run=run, words=words, observes=True)
