"""One case, tried: loaded, walked, sent and compared, packet by packet."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from fuzz.case import Case, Shot
from fuzz.followers import answer_to, later
from fuzz.ground import Ground, RefusedError
from fuzz.judge import Difference, Judgement, Router, judge, predict
from fuzz.wire import Observed, Wires

from packetpath_agent.netns import inside
from packetpath_agent.wire import NETLINK_NETFILTER, Netlink, nf_generation, nf_message

CONNTRACK, DELETE = 1, 2
MOST_MENDED = 20


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was done so far."""

    cases: int = 0
    packets: int = 0
    known: int = 0
    """Packets of connections that were in the table already."""
    assumed: int = 0
    unknown: int = 0
    traced: int = 0
    refused: int = 0
    """Cases whose rules a program would not load."""
    endings: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    differences: int = 0


class Trial:
    """A router, its wires, and the figures of all cases tried on it."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.wires = Wires(ground)
        self.figures = Figures()
        self.refusal = ""
        with inside(ground.descriptor):
            self._netlink = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        """Let go."""
        self.wires.close()
        self._netlink.close()

    def forget_connections(self) -> None:
        """Empty the connection table."""
        self._netlink.get(nf_message(CONNTRACK, DELETE), nf_generation())

    def load(self, case: Case) -> Case | None:
        """Load it without the lines that the programs refuse; None: nothing could be done about them."""
        for _ in range(MOST_MENDED):
            try:
                self.ground.load(case)
            except RefusedError as problem:
                lines = getattr(case, problem.part).splitlines(keepends=True)
                number = problem.line - 1
                if not 0 <= number < len(lines) or not _is_rule(lines[number]):
                    self.refusal = str(problem)
                    return None
                del lines[number]
                case = replace(case, **{problem.part: "".join(lines)})  # type: ignore[arg-type]
            else:
                return case
        return None

    def run(self, case: Case) -> list[Difference]:
        """Try a case that is loaded already."""
        self.figures.cases += 1
        found: list[Difference] = []
        router = Router(self.ground)
        try:
            for shot in case.shots:
                found += [each.difference for each in self._all(router, shot) if each.difference is not None]
        finally:
            router.close()
        self.figures.differences += len(found)
        return found

    def _all(self, router: Router, shot: Shot) -> Iterator[Judgement]:
        """The packet as the first of its connection; then its answer, and the packet again, as parts of it."""
        self.forget_connections()
        observed, first = self._one(router, shot)
        yield first
        if first.difference is not None or first.assumed:
            return
        answer = answer_to(shot, observed) if shot.answer else None
        if answer is not None:
            yield self._one(router, answer, known=True)[1]
        if shot.again and shot.by:
            yield self._one(router, later(shot) if answer is not None else shot, known=True)[1]

    def _one(self, router: Router, shot: Shot, *, known: bool = False) -> tuple[Observed, Judgement]:
        if known:
            router.read_connections_anew()
        paths = predict(router, shot, ask_table=known)
        observed = self.wires.fire(shot)
        result = judge(router, shot, paths, observed)
        self._count(result)
        self.figures.known += known
        return observed, result

    def _count(self, result: Judgement) -> None:
        figures = self.figures
        figures.packets += 1
        figures.assumed += result.assumed
        figures.unknown += result.unknown
        figures.traced += result.traced
        for verdict in {path.ending.verdict for path in result.paths}:
            figures.endings[verdict] += 1


def _is_rule(line: str) -> bool:
    return line.startswith(("-A", "  ")) and " hook " not in line
