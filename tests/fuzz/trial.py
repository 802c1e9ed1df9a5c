"""One case, tried: loaded, walked, sent and compared, packet by packet."""

from collections import Counter
from dataclasses import dataclass, field, replace

from fuzz.case import Case, Shot
from fuzz.ground import Ground, RefusedError
from fuzz.judge import Difference, Judgement, Router, judge, predict
from fuzz.wire import Wires

from packetpath_agent.netns import inside
from packetpath_agent.wire import NETLINK_NETFILTER, Netlink, nf_generation, nf_message

CONNTRACK, DELETE = 1, 2
MOST_MENDED = 20


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was done so far."""

    cases: int = 0
    packets: int = 0
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
        found = []
        router = Router(self.ground)
        try:
            for shot in case.shots:
                result = self._one(router, shot)
                if result.difference is not None:
                    found.append(result.difference)
        finally:
            router.close()
        self.figures.differences += len(found)
        return found

    def _one(self, router: Router, shot: Shot) -> Judgement:
        self.forget_connections()
        paths = predict(router, shot)
        result = judge(router, shot, paths, self.wires.fire(shot))
        self._count(result)
        return result

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
