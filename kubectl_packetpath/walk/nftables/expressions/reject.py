"""Drops the packet and tells its sender.

Kernel: net/netfilter/nft_reject.c, nft_reject_inet.c
"""

from dataclasses import dataclass

from kubectl_packetpath.trace import Ending, StepKind, Verdict
from kubectl_packetpath.walk.here import ended, go_on
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

TYPE, CODE = 1, 2
UNREACHABLE, RESET, EITHER = 0, 1, 2
PORT4, PORT6, PORT_EITHER = 3, 4, 1
CODES4 = {
    0: "net-unreachable", 1: "host-unreachable", 2: "prot-unreachable", 3: "port-unreachable",
    9: "net-prohibited", 10: "host-prohibited", 13: "admin-prohibited",
}  # fmt: skip
CODES6 = {
    0: "no-route", 1: "admin-prohibited", 3: "addr-unreachable", 4: "port-unreachable", 5: "policy-fail",
    6: "reject-route",
}  # fmt: skip
CODES_EITHER = {0: "no-route", 1: "port-unreachable", 2: "host-unreachable", 3: "admin-prohibited"}
AS4 = {0: 0, 1: 3, 2: 1, 3: 13}
AS6 = {0: 0, 1: 4, 2: 3, 3: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How the sender is told."""

    type: int
    code: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    if fields.number(TYPE) > EITHER:
        raise ValueError(f"reject type {fields.number(TYPE)}")
    return Spec(type=fields.number(TYPE), code=fields.number(CODE, 0))


def run(spec: Spec, scene: Scene) -> Answer:
    """The packet ends here."""
    ending = Ending(verdict=Verdict.REJECTED, reason=f"rejected by a rule, with {_answer(spec, scene)}")
    outcome = go_on(scene.packet, scene.history)
    return Ends((ended(outcome, ending, kind=StepKind.REJECTED, because=scene.because),))


def _answer(spec: Spec, scene: Scene) -> str:
    if spec.type == RESET:
        return "tcp-reset"
    if scene.family == 4:
        code = AS4.get(spec.code, spec.code) if spec.type == EITHER else spec.code
        return f"icmp-{CODES4.get(code, code)}"
    code = AS6.get(spec.code, spec.code) if spec.type == EITHER else spec.code
    return f"icmp6-{CODES6.get(code, code)}"


def words(spec: Spec, sentence: Sentence) -> None:
    """`reject`, `reject with tcp reset` and the like."""
    if spec.type == RESET:
        if sentence.chain.family != 1:
            sentence.needed("transport")
        sentence.say("reject with tcp reset")
        return
    if spec.type == EITHER:
        default, names, title = PORT_EITHER, CODES_EITHER, "icmpx"
    elif sentence.chain.family == 10 or sentence.network == "ip6":
        default, names, title = PORT6, CODES6, "icmpv6"
    else:
        default, names, title = PORT4, CODES4, "icmp"
    if spec.code == default and not (spec.type != EITHER and sentence.chain.family == 1):
        sentence.say("reject")
        return
    sentence.needed("network")
    sentence.say(f"reject with {title} {names.get(spec.code, spec.code)}")


KIND = Kind(name="reject", unpack=unpack, run=run, words=words)
