"""What one process took, and the table in which it stands."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 3
ENDED_WELL = {0, 1, 3}
"""A client's exit code tells the verdict; 2 and 4 mean that there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A command, and what the table calls it."""

    title: str
    command: Sequence[str]
    into: Path | None = None
    """Where its output is kept, for the commands after it."""


def measured(tasks: Sequence[Task]) -> dict[str, Cost]:
    """Each one's best, with all run in turn: what the machine does beside them strikes all alike."""
    costs: dict[str, list[Cost]] = {task.title: [] for task in tasks}
    for _ in range(ROUNDS):
        for task in tasks:
            costs[task.title].append(_once(task))
    return {title: _best(found) for title, found in costs.items()}


def _best(found: Sequence[Cost]) -> Cost:
    return Cost(
        seconds=min(cost.seconds for cost in found),
        cpu_seconds=min(cost.cpu_seconds for cost in found),
        peak_mb=max(cost.peak_mb for cost in found),
        output_bytes=found[0].output_bytes,
    )


def _once(task: Task) -> Cost:
    with tempfile.NamedTemporaryFile() as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(task.command), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in ENDED_WELL:
            raise SystemExit(f"{' '.join(task.command)} ended with {process.returncode}")
        if task.into is not None:
            task.into.write_bytes(Path(out.name).read_bytes())
        return Cost(
            seconds=took,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_mb=usage.ru_maxrss / 1024,
            output_bytes=Path(out.name).stat().st_size,
        )


def head(title: str) -> None:
    """The table's first lines."""
    print(f"\n{title}\n")
    print("| | wall | CPU | beside the tool | peak memory | output |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)


def row(title: str, cost: Cost, tool: Cost | None = None) -> None:
    """One line of it; with a tool to compare with, how many times its CPU time."""
    ratio = f"{cost.cpu_seconds / tool.cpu_seconds:.2f} x" if tool else ""
    print(
        f"| {title} | {cost.seconds:.2f} s | {cost.cpu_seconds:.2f} s | {ratio} | {cost.peak_mb:.0f} MB"
        f" | {_size(cost.output_bytes)} |",
        flush=True,
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
