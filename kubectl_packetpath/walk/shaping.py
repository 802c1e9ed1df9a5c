"""What a device loses of the packets that it is given to send, by its netem discipline.

Kernel: net/sched/sch_netem.c netem_enqueue, loss_event
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Ending, Fact, Outcome, StepKind, Verdict
from kubectl_packetpath.walk.here import ended, scaled
from kubectl_packetpath.walk.place import Place, assumed


def shaped(place: Place, outcome: Outcome, device: Link) -> Iterator[Outcome]:
    """The share that is lost, and the rest."""
    netem = device.netem
    if netem is None:
        yield outcome
        return
    name = f"{place.node.name} {device.name}"
    share = netem.share
    if netem.unsure:
        text = f"{name}: netem loses or spoils packets, which ones is not modelled"
        yield assumed(outcome, text)
        return
    if share > 0:
        percent = f"{float(share * 100):.3g} %"
        fact = Fact(section="qdisc", key=f"{name} root", text=f"netem loss {percent.replace(' ', '')}")
        reason = f"netem on {device.name} loses {percent} of all packets"
        lost = replace(outcome, weight=scaled(outcome.weight, share))
        ending = Ending(verdict=Verdict.DROPPED, reason=reason)
        yield ended(lost, ending, kind=StepKind.DROPPED, because=(fact,))
    if share < 1:
        yield replace(outcome, weight=scaled(outcome.weight, Fraction(1) - share))
