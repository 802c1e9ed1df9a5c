"""Fixtures for tests on a real cluster.

`cluster` is a cluster like the marker `bed` says: `@pytest.mark.bed(network="ptp", proxy="nftables")` takes the words
of `ClusterSpec.of`. `namespace` is a Kubernetes namespace for one test. When a test fails, its report shows what the
components logged meanwhile.
"""

import os
import re
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from testbed.pool import Pool, described
from testbed.spec import ClusterSpec
from testbed.vm import remote
from testbed.vm.machine import RESULTS
from testbed.workloads import namespace as namespace_object

BED = "bed"
MOST_LINES, WIDEST_LINE = 12, 240
LOGS = pytest.StashKey[dict[Path, int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker."""
    config.addinivalue_line(
        "markers", f"{BED}(**words): the cluster that a test needs, in the words of ClusterSpec.of"
    )
    remote.register(config)


def spec_of(item: pytest.Item) -> ClusterSpec:
    """The description of the cluster that a test needs."""
    words: dict[str, object] = {}
    for marker in reversed(list(item.iter_markers(BED))):
        words |= marker.kwargs
    if (callspec := getattr(item, "callspec", None)) is not None:
        words |= callspec.params.get("cluster", {})
    return described(**words)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a cluster run one after the other, at the end; their order is otherwise kept."""
    places: dict[ClusterSpec, int] = {}
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            places.setdefault(spec_of(item), len(places) + 1)
    items.sort(
        key=lambda item: places[spec_of(item)] if "cluster" in getattr(item, "fixturenames", ()) else 0
    )


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """The clusters of this session."""
    pool = Pool()
    yield pool
    pool.close()


@pytest.fixture
def cluster(request: pytest.FixtureRequest, pool: Pool) -> Cluster:
    """The cluster that the test's marker or parameter describes."""
    cluster = pool.get(spec_of(request.node))
    sizes = {component.log: _size(component.log) for component in cluster.components()}
    request.node.stash[LOGS] = sizes
    return cluster


@pytest.fixture
def results() -> Path:
    """A folder for what tests leave: in the virtual machine, the one that the host sees."""
    return Path(os.environ.get(remote.RESULTS_VARIABLE) or RESULTS)


@pytest.fixture
def namespace(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[str]:
    """A Kubernetes namespace of the test's own."""
    short = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    name = f"{short}-{time.time_ns() % 0xFFFFF:05x}"
    cluster.create_namespace(name)
    yield name
    cluster.kube.delete(namespace_object(name))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the components logged during a test that failed."""
    report = yield
    if report.failed:
        for log, start in item.stash.get(LOGS, {}).items():
            if new := _lines_after(log, start):
                report.sections.append(
                    (f"{log} during this test", "\n".join(line[:WIDEST_LINE] for line in new[-MOST_LINES:]))
                )
    return report


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _lines_after(path: Path, start: int) -> list[str]:
    if not path.exists():
        return []
    with path.open("rb") as log:
        log.seek(start)
        return log.read().decode(errors="replace").splitlines()
