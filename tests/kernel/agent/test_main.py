"""The command `packetpath-agent`, as a person or the client runs it."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from kubectl_packetpath import __version__
from kubectl_packetpath.packet import TCP, Packet
from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.codec import decode, encode_value
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk import explore
from kubectl_packetpath.walk.request import Request, Walk
from testbed.netns import OWN, Namespace

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).parents[3]
AGENT = [sys.executable, "-m", "packetpath_agent"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'agent'}"}


@pytest.fixture
def place() -> Iterator[Namespace]:
    """A namespace with an address and a way out."""
    namespace = Namespace(name=f"{OWN}command")
    if namespace.exists():
        namespace.delete()
    namespace.create()
    try:
        namespace.ip(
            "link add a0 type veth peer name a1",
            "link set a0 up",
            "link set a1 up",
            "addr add 192.0.2.1/24 dev a0",
        )
        yield namespace
    finally:
        namespace.delete()


def run(place: Namespace, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The agent, run there by hand."""
    return subprocess.run(
        [*place.enter, *AGENT, *arguments],
        input=given,
        capture_output=True,
        check=False,
        env=ENVIRONMENT,
        cwd="/",
    )


def test_a_snapshot_by_hand(place: Namespace) -> None:
    """Without Kubernetes, in any namespace: it is the host's, and standard output is the recording."""
    done = run(place, "snapshot", "--this-namespace", "--node", "here")
    snapshot = decode(done.stdout)

    assert (done.returncode, done.stderr) == (0, b"")
    assert (snapshot.node, snapshot.agent_version, len(snapshot.namespaces)) == ("here", __version__, 1)
    assert snapshot.host.identity == place.path.stat().st_ino


def test_a_snapshot_by_ip_netns_exec_sees_the_control_groups(place: Namespace) -> None:
    """They are hidden there behind a /sys of its own, and not from whoever called it."""
    command = ["ip", "netns", "exec", place.name, *AGENT, "snapshot", "--this-namespace", "--node", "here"]
    done = subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT, cwd="/")

    assert not isinstance(decode(done.stdout).host.socket_programs, Absent)


def test_a_file_that_cannot_be_written_is_not_a_matter_of_rights(place: Namespace) -> None:
    """One sentence, with the file's name."""
    done = run(place, "snapshot", "--this-namespace", "--output", "/nonexistent/file")

    assert done.returncode == 1
    assert (
        done.stderr == b"packetpath-agent: /nonexistent/file cannot be written: No such file or directory\n"
    )


def test_a_snapshot_into_a_file(place: Namespace, tmp_path: Path) -> None:
    """With `--output` nothing goes to standard output."""
    done = run(place, "snapshot", "--this-namespace", "--output", str(tmp_path / "node"))

    assert done.stdout == b""
    assert isinstance(decode((tmp_path / "node").read_bytes()), Snapshot)


def test_a_terminal_gets_no_bytes(place: Namespace) -> None:
    """A recording would spoil the screen: one sentence instead."""
    leader, follower = os.openpty()
    done = subprocess.run(
        [*place.enter, *AGENT, "snapshot"],
        stdout=follower,
        stderr=subprocess.PIPE,
        check=False,
        env=ENVIRONMENT,
    )
    os.close(follower)
    os.close(leader)

    assert done.returncode == 2
    assert b"not for terminals" in done.stderr


def test_one_packet_touches_little(place: Namespace) -> None:
    """Asked about one packet, the agent tells what its walk read, which answers the same walk again."""
    ask = "ask --this-namespace --node here --from-host --dst 198.51.100.7 --dport 80"
    snapshot = decode(run(place, *ask.split()).stdout)
    packet = Packet(source=ip_address("0.0.0.0"), destination=ip_address("198.51.100.7"), protocol=TCP, sport=40000, dport=80)  # fmt: skip
    start = explore.Originated(namespace=snapshot.host.identity, packet=packet)

    endings = [path.ending.verdict for path in explore.run(RecordedNode(snapshot), start)]

    assert endings == [Verdict.NO_ROUTE]
    assert isinstance(snapshot.host.ipsets, Absent)


def frames(data: bytes) -> list[bytes]:
    """The answers in a stream."""
    found = []
    while data:
        (length,) = struct.unpack_from("!I", data)
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found


def framed(data: bytes) -> bytes:
    """One request in a stream."""
    return struct.pack("!I", len(data)) + data


def test_requests_are_answered_one_after_the_other(place: Namespace) -> None:
    """A request that does not fit is answered by a sentence, and the next one as if nothing had been."""
    packet = Packet(source=ip_address("192.0.2.9"), destination=ip_address("192.0.2.1"), protocol=TCP, sport=1, dport=2)  # fmt: skip
    start = explore.ReceivedOn(namespace=place.path.stat().st_ino, device="a0", packet=packet)
    good = Request(what="walks", walks=(Walk(start=start, connections=explore.Connections()),))
    done = run(place, "serve", "--node", "here", given=framed(b"nonsense") + framed(encode_value(good)))
    answers = frames(done.stdout)

    assert [answer[:1] for answer in answers] == [b"E", b"A"]
    assert b"does not fit" in answers[0]
    assert isinstance(decode(answers[1][1:]).host.routes, tuple)


def test_input_that_ends_midway_ends_the_agent(place: Namespace) -> None:
    """A client that is gone leaves nothing running."""
    done = run(place, "serve", given=b"\0\0")

    assert (done.returncode, done.stdout) == (0, b"")


def test_waiting_ends_when_told(place: Namespace) -> None:
    """The container's main process goes at once, and in order."""
    process = subprocess.Popen([*place.enter, *AGENT, "version"], stdout=subprocess.PIPE, env=ENVIRONMENT)
    out, _ = process.communicate(timeout=60)

    assert out.decode().strip() == __version__
