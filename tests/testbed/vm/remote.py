"""Runs the tests marked `vm` inside of the virtual machine, and reports them as if they ran here.

Outside, the machine boots when the session begins and another pytest runs those without a cluster in it, beside the
other tests, for it keeps little more than one processor busy; there they are ordinary tests, with the same fixtures.
Those with a cluster have a second boot, alone on the machine, when all others are over. Their reports are told last. What they leave in the folder `results` is kept on the host (see RESULTS).
"""

import json
import os
import shutil
import sys
import threading
from collections import defaultdict
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from testbed import build, machine
from testbed.pool import KEEP
from testbed.state import alone
from testbed.vm.kernel import GUEST, why_not_run
from testbed.vm.machine import RESULTS, VirtualMachine

MARKER, PLUGIN = "vm", "packetpath-vm"
RESULTS_VARIABLE = "PACKETPATH_RESULTS"
REPORTS = "reports.jsonl"
TIMEOUT_SECONDS = 3600
"""For all tests together; an idle machine needs a third of it."""


def register(config: pytest.Config) -> None:
    """Take the part that this process has, the guest's or the host's, once for all who ask."""
    if config.pluginmanager.has_plugin(PLUGIN):
        return
    if not os.environ.get(GUEST):
        config.pluginmanager.register(Host(), PLUGIN)
    elif RESULTS_VARIABLE in os.environ:
        config.pluginmanager.register(Guest(config), PLUGIN)


class Guest:
    """Writes down how each test went."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.file = Path(os.environ[RESULTS_VARIABLE]) / REPORTS

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Line by line, so that a crash loses nothing."""
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        with self.file.open("a") as out:
            out.write(json.dumps(data) + "\n")


class Host:
    """Boots the virtual machine, once beside the other tests and once after them, and passes its reports on."""

    def __init__(self) -> None:
        self.batches: dict[bool, Batch] = {}
        """By whether they bring up clusters."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None]:
        """Such tests come last, those with a cluster at the very end; the first of each kind waits for all of it."""
        yield
        items.sort(key=lambda item: (_is_for_guest(item), _is_for_guest(item) and _has_cluster(item)))
        for item in filter(_is_for_guest, items):
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS + 60))

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Those without a cluster begin at once, in the background."""
        if session.config.option.collectonly or _why_not() is not None:
            return
        for clusters in (False, True):
            chosen = [e.nodeid for e in session.items if _is_for_guest(e) and _has_cluster(e) == clusters]
            if chosen:
                self.batches[clusters] = Batch(session.config, chosen)
        if False in self.batches:
            self.batches[False].start()

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Nothing of such a test runs here; where the machine cannot run, the test is skipped as usual."""
        batch = self.batches.get(_has_cluster(item)) if _is_for_guest(item) else None
        if batch is None:
            return None
        reports = batch.reports()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in reports.get(item.nodeid) or [_lost(item)]:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        item.session._setupstate.teardown_exact(nextitem)
        return True


class Batch(threading.Thread):
    """One boot for these tests. The machine ends with this thread, and the thread with the session."""

    def __init__(self, config: pytest.Config, chosen: Sequence[str]) -> None:
        super().__init__(name="virtual-machine", daemon=True)
        self.config = config
        self.chosen = chosen
        self.error: BaseException | None = None
        self.told: dict[str, list[pytest.TestReport]] = {}

    def run(self) -> None:
        """Boot, run, read what it left."""
        try:
            self.told = _run(self.config, self.chosen)
        except BaseException as error:  # noqa: BLE001 - told by whoever waits for the reports
            self.error = error

    def reports(self) -> dict[str, list[pytest.TestReport]]:
        """How each test went, once all of them are over; they begin now if they have not."""
        if self.ident is None:
            self.start()
        self.join()
        if self.error is not None:
            raise self.error
        return self.told


def _is_for_guest(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARKER) is not None


def _has_cluster(item: pytest.Item) -> bool:
    return item.get_closest_marker("cluster") is not None


def _why_not() -> str | None:
    built = all(each.target.exists() for each in build.program_sets() if each.needed_by_clusters)
    return machine.why_not_run() or why_not_run() or (None if built else "The programs are not built.")


def _run(config: pytest.Config, chosen: Sequence[str]) -> dict[str, list[pytest.TestReport]]:
    build.build()
    with alone("virtual-machine"):
        shutil.rmtree(RESULTS, ignore_errors=True)
        VirtualMachine(results=RESULTS).run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:randomly",
                "--maxfail=10",
                "--timeout=1500",
                *chosen,
            ],
            folder=config.rootpath,
            environment={RESULTS_VARIABLE: str(RESULTS), KEEP: "1"},
            timeout_seconds=TIMEOUT_SECONDS,
        )
        return _read_reports(config)


def _read_reports(config: pytest.Config) -> dict[str, list[pytest.TestReport]]:
    reports: dict[str, list[pytest.TestReport]] = defaultdict(list)
    file = RESULTS / REPORTS
    for line in file.read_text().splitlines() if file.exists() else ():
        data: dict[str, Any] = json.loads(line)
        report = config.hook.pytest_report_from_serializable(config=config, data=data)
        reports[report.nodeid].append(report)
    return reports


def _lost(item: pytest.Item) -> pytest.TestReport:
    """The guest ended without a word on a test: what it said last."""
    console = RESULTS / "console.log"
    said = console.read_text(errors="replace")[-3000:] if console.exists() else "nothing"
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome="failed",
        longrepr=f"The virtual machine did not report this test. It said last:\n{said}",
        when="call",
    )
