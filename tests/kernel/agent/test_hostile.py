"""A pod that wants to deceive or to stop the agent: it loses its own answers at most."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.codec import decode, encode
from packetpath_agent import files
from packetpath_agent.live import LiveNamespace, LiveNode
from packetpath_agent.netns import Found
from testbed.netns import OWN, Namespace

pytestmark = pytest.mark.kernel


@pytest.fixture
def hostile() -> Iterator[Namespace]:
    """A namespace with devices of unpleasant names."""
    namespace = Namespace(name=f"{OWN}hostile")
    if namespace.exists():
        namespace.delete()
    namespace.create()
    try:
        subprocess.run(
            ["ip", "-n", namespace.name, "link", "add", b"b\xff\x1b[31m", "type", "veth", "peer", "name", b"\xc3("],
            check=True,
        )  # fmt: skip
        yield namespace
    finally:
        namespace.delete()


def test_names_that_are_no_text(hostile: Namespace) -> None:
    """They become printable escapes, survive a recording, and their settings are found under them."""
    state = LiveNamespace(Found(identity=1, path=hostile.path), is_host=True, pod=None)
    state.read_everything()
    read = Snapshot(node="n", taken_at="", namespaces=(state.narrowed(whole=True),))
    value = state.sysctl("net/ipv4/conf/\\xc3(/forwarding")
    state.close()
    links = decode(encode(read)).host.links

    assert isinstance(links, tuple)
    assert {link.name for link in links} == {"lo", "b\\xff\x1b[31m", "\\xc3("}
    assert value == "0"


def test_a_link_does_not_lead_out_of_the_pod(tmp_path: Path) -> None:
    """An absolute link is followed below the pod's own root, as the pod itself would."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/resolv").write_text("nameserver 192.0.2.53\n")
    (tmp_path / "etc/resolv.conf").symlink_to("/run/resolv")
    (tmp_path / "etc/hosts").symlink_to("/../../../../../../etc/passwd")

    assert files.inside(str(tmp_path), "etc/resolv.conf") == "nameserver 192.0.2.53\n"
    with pytest.raises(FileNotFoundError):
        files.inside(str(tmp_path), "etc/hosts")


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A pipe without a writer would stop the agent for ever."""
    os.mkfifo(tmp_path / "resolv.conf")

    with pytest.raises(OSError, match="not a regular file"):
        files.inside(str(tmp_path), "resolv.conf")


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    """What a pod makes huge stays small here, and bytes that are no text are escaped."""
    (tmp_path / "resolv.conf").write_bytes(b"\xff" + b"x" * (1 << 20))

    text = files.inside(str(tmp_path), "resolv.conf")

    assert text.startswith("\\xffx")
    assert len(text) <= files.MOST_BYTES + 3


def test_a_namespace_that_is_gone_costs_only_itself(
    hostile: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are read, and the recording says what is missing."""
    gone = Found(identity=7, path=Path("/run/netns/ppk-was-here"), name="ppk-was-here")
    there = Found(identity=hostile.path.stat().st_ino, path=hostile.path, name=hostile.name)
    monkeypatch.setattr("packetpath_agent.netns.others", lambda: (gone, there))
    node = LiveNode("n")
    snapshot = node.snapshot()
    node.close()

    assert [each.name for each in snapshot.namespaces] == ["", f"{OWN}hostile"]
    assert snapshot.troubles == ("namespace ppk-was-here was not read: No such file or directory",)


@contextmanager
def imprisoned(hostile: Namespace, root: Path) -> Iterator[LiveNamespace]:
    """A process in the namespace whose root is this folder, as the agent sees a pod."""
    script = (
        "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); print('in', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [*hostile.enter, sys.executable, "-c", script, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        found = Found(identity=1, path=Path(f"/proc/{process.pid}/ns/net"), pid=process.pid)
        state = LiveNamespace(found, is_host=False, pod=None)
        yield state
        state.close()
    finally:
        process.communicate(timeout=60)


def endless(file: Path) -> None:
    """A device of the pod's own that never ends."""
    os.mknod(file.with_name("zero"), stat.S_IFCHR | 0o666, os.makedev(1, 5))
    file.symlink_to("/etc/zero")


def pipe_elsewhere(file: Path) -> None:
    """Nobody will ever write into it."""
    os.mkfifo(file.with_name("pipe"))
    file.symlink_to("pipe")


def huge(file: Path) -> None:
    """A file of 64 GiB that takes no room."""
    with file.open("wb") as stream:
        stream.write(b"nameserver 192.0.2.53\n")
        stream.truncate(64 << 30)


REFUSED: dict[str, Callable[[Path], None]] = {
    "a pipe": os.mkfifo,
    "a link to a pipe": pipe_elsewhere,
    "a folder": Path.mkdir,
    "an endless device": endless,
    "the node's own device": lambda file: file.symlink_to("/dev/zero"),
    "a link to itself": lambda file: file.symlink_to("resolv.conf"),
    "a link out of the pod": lambda file: file.symlink_to("../../../../../../../etc/hostname"),
    "a link into another process": lambda file: file.symlink_to("/proc/1/root/etc/hostname"),
    "a socket": lambda file: socket.socket(socket.AF_UNIX).bind(str(file)),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", REFUSED)
def test_a_resolv_conf_that_is_none(hostile: Namespace, tmp_path: Path, kind: str) -> None:
    """The agent says why it has none, neither waits nor reads what is not the pod's."""
    (tmp_path / "etc").mkdir()
    REFUSED[kind](tmp_path / "etc/resolv.conf")
    with imprisoned(hostile, tmp_path) as state:
        read = state.resolv_conf()

    assert isinstance(read, Absent)


@pytest.mark.timeout(60)
def test_a_resolv_conf_without_end(hostile: Namespace, tmp_path: Path) -> None:
    """Its beginning is enough."""
    (tmp_path / "etc").mkdir()
    huge(tmp_path / "etc/resolv.conf")
    with imprisoned(hostile, tmp_path) as state:
        read = state.resolv_conf()

    assert isinstance(read, str)
    assert read.startswith("nameserver 192.0.2.53\n")
    assert len(read) <= files.MOST_BYTES


def test_a_resolv_conf_of_random_bytes_survives_a_recording(hostile: Namespace, tmp_path: Path) -> None:
    """As printable escapes."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_bytes(bytes(range(256)))
    with imprisoned(hostile, tmp_path) as state:
        written = state.resolv_conf()
        recording = Snapshot(node="n", taken_at="", namespaces=(state.narrowed(),))

    assert isinstance(written, str)
    assert "\\xff" in written
    assert decode(encode(recording)).namespaces[0].resolv_conf == written
