"""`make bench`: what an answer costs on a node with 10,000 Services, beside the system's own tools.

Read the ratios: the machine's speed cancels out, since both sides run in turn in one run.
Needs root and Linux; everything happens in network namespaces that it makes and removes.
"""

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from bench.measure import Task, head, measured, row
from bench.room import BACK_ENDS, BackEnd, loaded, packet_to

PYTHON = sys.executable
AGENT = [PYTHON, "-m", "packetpath_agent"]
HERE = ["--node", "bench", "--this-namespace"]
CLIENT = [PYTHON, "-m", "kubectl_packetpath"]
SNAPSHOT = "agent: a whole snapshot"
ASKED_FIRST, ASKED_LAST = "agent: one question, the first Service", "agent: one question, the last Service"
FROM_SNAPSHOT = "client: path printed from the snapshot"
FROM_ANSWER = "client: path printed from the answer"


def bench(back_end: BackEnd, services: int) -> None:
    """All figures of one back end."""
    with loaded(back_end, services) as enter, tempfile.TemporaryDirectory() as folder:
        tool = " ".join(back_end.witness)
        tasks = [
            Task(title=tool, command=[*enter, *back_end.witness]),
            *questions(enter, Path(folder), services),
        ]
        costs = measured(tasks)
    head(f"{back_end.name}, {services:,} Services")
    for title, cost in costs.items():
        row(f"`{title}`" if title == tool else title, cost, None if title == tool else costs[tool])


def questions(enter: list[str], folder: Path, services: int) -> list[Task]:
    """A snapshot and a question on the node, and what the client makes of either."""
    whole, answer = folder / "whole", folder / "answer"
    packet = packet_to(services - 1)
    ask = [*enter, *AGENT, "ask", *HERE]
    path = [*CLIENT, "packet", "--node", "bench", *packet, "-o", "json", "--bundle"]
    return [
        Task(title=SNAPSHOT, command=[*enter, *AGENT, "snapshot", *HERE], into=whole),
        Task(title=ASKED_FIRST, command=[*ask, *packet_to(0)]),
        Task(title=ASKED_LAST, command=[*ask, *packet], into=answer),
        Task(title=FROM_SNAPSHOT, command=[*path, str(whole)]),
        Task(title=FROM_ANSWER, command=[*path, str(answer)]),
    ]


def growth(back_end: BackEnd, most: int) -> None:
    """The same question among more and more Services."""
    head(f"{back_end.name}: the same question among more and more Services")
    for services in (most // 100, most // 10, most):
        with loaded(back_end, services) as enter, tempfile.TemporaryDirectory() as folder:
            tasks = [
                t for t in questions(enter, Path(folder), services) if t.title in {ASKED_LAST, FROM_ANSWER}
            ]
            for title, cost in measured(tasks).items():
                row(f"{services:,}: {title}", cost)


def start() -> None:
    """What both commands take to do nothing."""
    head("Nothing but their start")
    tasks = [
        Task(title="python -c pass", command=[PYTHON, "-c", "pass"]),
        Task(title="kubectl-packetpath --help", command=[*CLIENT, "--help"]),
        Task(title="packetpath-agent version", command=[*AGENT, "version"]),
    ]
    for title, cost in measured(tasks).items():
        row(f"`{title}`", cost)


def main() -> None:
    """Run the back ends asked for."""
    names = [back_end.name for back_end in BACK_ENDS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--no-growth", action="store_true", help="only with all Services")
    parser.add_argument(
        "backends", nargs="*", metavar="BACKEND", help=f"of {', '.join(names)} (default: all)"
    )
    given = parser.parse_args()
    if os.geteuid() != 0 or sys.platform != "linux":
        raise SystemExit("make bench needs root on Linux: it makes network namespaces of its own")
    if not set(given.backends) <= set(names):
        parser.error(f"the back ends are {', '.join(names)}")
    os.environ["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    load = os.getloadavg()[0]
    print(
        f"{os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}, load {load:.1f}"
    )
    start()
    for back_end in BACK_ENDS:
        if back_end.name in (given.backends or names):
            bench(back_end, given.services)
            if not given.no_growth:
                growth(back_end, given.services)


if __name__ == "__main__":
    main()
