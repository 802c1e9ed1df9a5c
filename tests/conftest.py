"""What all tests share: tests that need a special machine are skipped elsewhere, loudly, or fail where they must run.

`PACKETPATH_REQUIRE=kernel,cluster` names the markers that must run here: what would be skipped then fails.
"""

import importlib.util
import os
from collections import defaultdict
from collections.abc import Callable
from functools import cache

import pytest

from testbed import build, machine

REQUIRE = "PACKETPATH_REQUIRE"


def _why_no_cluster() -> str | None:
    if reason := machine.why_not_run():
        return reason
    if all(each.target.exists() for each in build.program_sets() if each.needed_by_clusters):
        return None
    return "The programs of the test bed are not built: `make testbed` does it, once, in about 15 minutes."


def _why_no_virtual_machine() -> str | None:
    if importlib.util.find_spec("testbed.vm") is None:
        return "There is no virtual machine in this test bed."
    reason: str | None = importlib.import_module("testbed.vm").why_not_run()
    return reason


def _why_no_oracle() -> str | None:
    if build.program_set("cyclonus").target.exists():
        return None
    return "cyclonus, the judge of policies, is not built: `make testbed` does it, with Go, in minutes."


REASONS: dict[str, Callable[[], str | None]] = {
    "kernel": cache(machine.why_not_run),
    "cluster": cache(_why_no_cluster),
    "oracle": cache(_why_no_oracle),
    "vm": cache(_why_no_virtual_machine),
}
"""Per marker: why its tests cannot run here, or None."""

NOT_RUN = pytest.StashKey[dict[tuple[str, str], int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare to count what is skipped."""
    config.stash[NOT_RUN] = defaultdict(int)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, before a fixture tries what cannot work here."""
    for marker, why_not in REASONS.items():
        if item.get_closest_marker(marker) is None or (reason := why_not()) is None:
            continue
        if marker in os.environ.get(REQUIRE, "").replace(" ", "").split(","):
            pytest.fail(
                f"{REQUIRE} says that {marker} tests must run here, and they cannot: {reason}", pytrace=False
            )
        item.config.stash[NOT_RUN][marker, reason] += 1
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say loudly what did not run, and how to get it."""
    not_run = config.stash[NOT_RUN]
    if not not_run:
        return
    terminalreporter.section("NOT RUN", yellow=True, bold=True)
    for (marker, reason), count in sorted(not_run.items()):
        terminalreporter.line(f"{count} {marker} tests did not run. {reason}", yellow=True)
    markers = ",".join(sorted({marker for marker, _ in not_run}))
    terminalreporter.line(f"{REQUIRE}={markers} makes this a failure.", yellow=True)
