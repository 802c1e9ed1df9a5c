"""Connections that a kernel refused because no socket took them, with the sockets that are there: for the checks about them."""

from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.question import PROXIED
from kubectl_packetpath.findings.sight import Loss, is_translated, known, losses, state_at
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.trace import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaf:
    """A refused connection."""

    loss: Loss
    sockets: tuple[Socket, ...]
    """Sockets of its protocol that take somebody's packets there, sorted by port."""

    @property
    def loopback(self) -> tuple[Socket, ...]:
        """Those on the very port, bound to a loopback address."""
        port = self.loss.path.packet.dport
        return tuple(each for each in self.sockets if each.port == port and each.address.is_loopback)


def deaf(answer: Answer, way: Answered) -> Iterator[Deaf]:
    """Every path that ends where nothing listens, and where the sockets were read."""
    for loss in losses(way):
        state = state_at(answer, loss.hop)
        sockets = known(state.sockets) if state is not None else None
        if loss.ending.verdict is not Verdict.REFUSED or loss.is_reply or sockets is None:
            continue
        if way.question.way in PROXIED and not is_translated(way, loss.path):
            continue  # nobody has to listen on a Service's own address: its translation is missing
        own = [
            socket
            for socket in sockets
            if socket.protocol == loss.path.packet.protocol and not socket.remote_port
        ]
        yield Deaf(loss=loss, sockets=tuple(sorted(own, key=lambda each: (each.port, str(each.address)))))
