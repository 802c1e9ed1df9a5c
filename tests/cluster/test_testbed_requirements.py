"""What is missing is said in one sentence, and tests that cannot run are never skipped in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.build import program_sets
from testbed.spec import ClusterSpec, Proxy

TESTS = Path(__file__).parents[1]
MATRIX = "tests/cluster/test_testbed_matrix.py"
AS_NOBODY = ["unshare", "--user"]
"""In a user namespace without a mapping, nobody is root."""


def run(command: list[str], prefix: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, in other circumstances."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", *command],
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONPATH": str(TESTS)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.kernel
def test_up_without_root() -> None:
    """Whoever is not root is told so."""
    done = run(["testbed", "up", "--name", "never"], AS_NOBODY)
    assert (done.returncode, done.stderr) == (1, "testbed: A cluster needs root: run this as root (sudo).\n")


@pytest.mark.kernel
def test_build_without_go(tmp_path: Path) -> None:
    """Whoever has no Go is told where to get it."""
    hide = 'mount -t tmpfs none /usr/local/go 2>/dev/null; exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", hide, "sh"]
    done = run(["testbed", "build", "pause"], prefix, XDG_CACHE_HOME=str(tmp_path), PATH="/usr/bin:/bin")
    assert done.returncode == 1
    assert done.stderr.startswith("testbed: Go 1.26 or newer is missing: install it from https://go.dev/dl/")


@pytest.mark.kernel
def test_skip_is_loud() -> None:
    """Tests that cannot run are skipped, and the summary says how many, why, and how to make that a failure."""
    done = run(["pytest", "-q", "-p", "no:cacheprovider", MATRIX], AS_NOBODY, PACKETPATH_REQUIRE="")
    assert done.returncode == 0
    assert "NOT RUN" in done.stdout
    assert "cluster tests did not run. A cluster needs root" in done.stdout


@pytest.mark.kernel
def test_required_is_not_skipped() -> None:
    """Where such tests are required, they fail instead."""
    done = run(
        ["pytest", "-q", "-x", "-p", "no:cacheprovider", MATRIX],
        AS_NOBODY,
        PACKETPATH_REQUIRE="kernel,cluster",
    )
    assert done.returncode == 1
    assert "PACKETPATH_REQUIRE says that cluster tests must run here, and they cannot" in done.stdout


def test_programs_are_pinned() -> None:
    """Every set of programs has its checksums in the repository."""
    unpinned = [each.name for each in program_sets() if "require" in (each.folder / "go.mod").read_text()]
    assert [name for name in unpinned if not (TESTS / "testbed/programs" / name / "go.sum").exists()] == []


def test_description_survives_json() -> None:
    """A description is the same after it was written and read."""
    spec = ClusterSpec.of("some", 3, subnets=2, proxies={"node2": "nftables"}, family="dual", network="ptp")
    assert spec == ClusterSpec.from_json(spec.to_json())
    assert (spec.proxy_of("node2"), spec.proxy_of("node1")) == (Proxy.NFTABLES, Proxy.IPTABLES_NFT)
    assert tuple(node.subnet for node in spec.nodes) == (1, 1, 2)


@pytest.mark.parametrize(
    "words",
    [
        {"name": "a-name-that-is-too-long"},
        {"name": "x", "nodes": 6},
        {"name": "x", "proxies": {"node9": "none"}},
    ],
)
def test_impossible_description(words: dict[str, object]) -> None:
    """A description that cannot be built is refused before anything is."""
    with pytest.raises(ValueError, match=r"name|nodes|node9"):
        ClusterSpec.of(**words)  # type: ignore[arg-type]
