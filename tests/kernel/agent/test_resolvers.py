"""The resolver's configuration of one pod, asked for by a client."""

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from kubectl_packetpath.cluster.model import Pod
from kubectl_packetpath.cluster.naming.resolver import Files
from kubectl_packetpath.snapshot import PodReference, Snapshot
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.codec import decode, encode
from kubectl_packetpath.snapshot.flows import NO_FLOWS, Flows
from kubectl_packetpath.snapshot.merge import merge
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.sources.resolvers import files_of
from kubectl_packetpath.walk.cluster import Need
from kubectl_packetpath.walk.request import Client, Request
from packetpath_agent.live import LiveNode
from packetpath_agent.netns import Found
from packetpath_agent.serve import answer
from testbed.netns import OWN, Namespace

pytestmark = pytest.mark.kernel
POD = Pod(namespace="default", name="x", uid="of-the-pod", node="n", addresses=(ip_address("10.1.1.2"),))
WAIT = "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); print('in', flush=True); sys.stdin.read()"


class Asking:
    """Supplies a node by asking its agent in this process."""

    pause_seconds = 0.0

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self.snapshot = self.asked(Request(what="base"))

    def asked(self, request: Request) -> Snapshot:
        """As it comes over the wire."""
        node = LiveNode("n")
        try:
            return decode(encode(answer(node, request)))
        finally:
            node.close()

    def open(self, names: object, flows: Flows = NO_FLOWS) -> None:
        """It is open."""

    def node(self, _name: str) -> RecordedNode:
        """What is known so far."""
        return RecordedNode(self.snapshot)

    def more(self, needs: tuple[Need, ...]) -> None:
        """Nothing more."""

    def read_resolver(self, node: str, client: Client) -> str:  # noqa: ARG002 - there is only one
        """Ask."""
        self.snapshot = merge(self.snapshot, self.asked(Request(what="walks", resolvers=(client,))))
        return ""


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Namespace]:
    """A namespace with a pod's address, and two processes: the first has no files."""
    namespace = Namespace(name=f"{OWN}resolver")
    if namespace.exists():
        namespace.delete()
    namespace.create()
    namespace.ip("link set lo up", "address add 10.1.1.2/32 dev lo")
    roots = [tmp_path / "sandbox", tmp_path / "container"]
    (roots[1] / "etc").mkdir(parents=True)
    roots[0].mkdir()
    (roots[1] / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n")
    processes = [
        subprocess.Popen(
            [*namespace.enter, sys.executable, "-c", WAIT, str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for root in roots
    ]
    try:
        for each in processes:
            assert each.stdout is not None
            assert each.stdout.readline() == b"in\n"
        pids = tuple(each.pid for each in processes)
        path = Path(f"/proc/{pids[0]}/ns/net")
        found = Found(identity=path.stat().st_ino, path=path, pid=pids[0], pids=pids)
        monkeypatch.setattr("packetpath_agent.netns.others", lambda: (found,))
        yield namespace
    finally:
        for each in processes:
            each.communicate(timeout=60)
        namespace.delete()


@pytest.mark.usefixtures("pod")
def test_a_pods_file_is_read_when_it_is_asked_for() -> None:
    """By the addresses that the API names, from the first process that has one; and the node's own beside it."""
    found = files_of(POD, Asking())

    assert isinstance(found, Files)
    assert found.own == "nameserver 192.0.2.53\n"
    assert isinstance(found.of_node, str)
    assert found.cached == ()


@pytest.mark.usefixtures("pod")
def test_nothing_is_read_unasked() -> None:
    """Neither the base of a node nor another pod's question brings it."""
    asking = Asking()
    other = Client(pod=PodReference(uid="another"), addresses=(ip_address("10.1.1.9"),))
    asking.read_resolver("n", other)

    (own,) = (each for each in asking.snapshot.namespaces if not each.is_host)

    assert own.resolv_conf == Absent(why=Why.NOT_ASKED)
