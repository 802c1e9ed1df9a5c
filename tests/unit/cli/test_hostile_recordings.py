"""Files that somebody damaged or made with evil intent: one sentence and its exit code, whatever they hold."""

import io
import json
import os
import resource
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from kubectl_packetpath.snapshot import SCHEMA, NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.codec import MAGIC, encode
from kubectl_packetpath.sources import bundle
from kubectl_packetpath.sources.bundle import Recording

ROOT = Path(__file__).parents[3]
PACKET = ["packet", "--from-host", "--dst", "192.0.2.1", "--protocol", "tcp", "--dport", "80", "--bundle"]
RED = "\x1b[31m"
MOST_MEMORY = 2 << 30


def asked(file: Path) -> subprocess.CompletedProcess[str]:
    """The question about one packet, in a process that may not fill the memory."""
    return subprocess.run(
        [sys.executable, "-m", "kubectl_packetpath", *PACKET, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY)),
    )


def told(file: Path) -> str:
    """The one sentence; beside it there may be advice, and nothing else."""
    done = asked(file)
    assert (done.returncode, done.stdout) == (2, ""), done
    sentence, *advice = done.stderr.splitlines()
    assert sentence.startswith("error: ")
    assert len(advice) <= 1
    assert all(line.startswith("  try: ") for line in advice)
    assert "\x1b" not in done.stderr
    return sentence


def node(name: str = "n1") -> bytes:
    """A node's snapshot with next to nothing in it."""
    host = NetworkNamespace(identity=1, is_host=True)
    return encode(Snapshot(node=name, taken_at="2026-01-01T00:00:00Z", namespaces=(host,)))


def flipped(data: bytes, place: int) -> bytes:
    """With one bit changed."""
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


def squeezed(plain: bytes, schema: int = SCHEMA) -> bytes:
    """Any bytes as a snapshot's."""
    return MAGIC + bytes([schema]) + zlib.compress(plain, 9)


def archive(entries: dict[str, bytes]) -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return out.getvalue()


MANIFEST = json.dumps({"format": "packetpath-bundle", "schema": 1}).encode()
SNAPSHOTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated": (lambda: node()[:-7], "cut off"),
    "only its first bytes": (lambda: node()[:8], "cut off"),
    "a bit flipped in its middle": (lambda: flipped(node(), len(node()) // 2), "damaged"),
    "a bit flipped in its checksum": (lambda: flipped(node(), len(node()) - 1), "damaged"),
    "newer": (lambda: MAGIC + bytes([SCHEMA + 1]) + node()[8:], "newer packetpath"),
    "of no schema that ever was": (lambda: MAGIC + b"\0" + node()[8:], "not a packetpath snapshot"),
    "a bomb of zeros": (lambda: squeezed(bytes(1 << 28)), "unfolds to more than"),
    "a bomb of empty maps": (
        lambda: squeezed(b"\xdd\x08\0\0\0" + b"\x80" * (1 << 27)),
        "unfolds to more than",
    ),
    "nested without end": (lambda: squeezed(b"\x91" * 100_000), "damaged|nested"),
    "a list": (lambda: squeezed(msgspec.msgpack.encode([1, 2])), "belongs"),
    "without a host": (lambda: encode(Snapshot(node="n1", taken_at="")), "no host namespace"),
}
BUNDLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "no bundle and no snapshot"),
    "another file": (lambda: b"\x7fELF" + bytes(1000), "no bundle and no snapshot"),
    "another archive": (lambda: archive({"readme.txt": b"hello"}), "no manifest.json"),
    "a manifest nested without end": (lambda: archive({"manifest.json": b"[" * 200_000}), "damaged"),
    "a manifest that is no text": (lambda: archive({"manifest.json": b"\xff\xfe\xfd"}), "damaged"),
    "a bomb": (lambda: archive({"manifest.json": MANIFEST, "cluster.json": b" " * (1 << 28)}), "larger than"),
    "a bomb in a node": (
        lambda: archive({"manifest.json": MANIFEST, "cluster.json": b"{}", "nodes/n1.bin": bytes(1 << 28)}),
        "larger than",
    ),
    "newer": (
        lambda: archive({"manifest.json": MANIFEST.replace(b": 1", b": 99"), "cluster.json": b"{}"}),
        "newer version",
    ),
    "a node that is cut off": (
        lambda: archive({"manifest.json": MANIFEST, "cluster.json": b"{}", "nodes/n1.bin": node()[:-5]}),
        "n1: the recording is cut off",
    ),
}


@pytest.mark.parametrize("kind", SNAPSHOTS)
def test_a_snapshot_that_is_not_right(kind: str, tmp_path: Path) -> None:
    """Each is refused for what is wrong with it, without a trace of the program's inside."""
    made, sentence = SNAPSHOTS[kind]
    (tmp_path / "node").write_bytes(made())

    assert any(each in told(tmp_path / "node") for each in sentence.split("|"))


@pytest.mark.parametrize("kind", BUNDLES)
def test_a_bundle_that_is_not_right(kind: str, tmp_path: Path) -> None:
    """Likewise."""
    made, sentence = BUNDLES[kind]
    (tmp_path / "bundle").write_bytes(made())

    assert sentence in told(tmp_path / "bundle")


def test_a_bit_flipped_anywhere_in_a_bundle(tmp_path: Path) -> None:
    """It is refused, or it did not matter: the program never ends otherwise."""
    file = tmp_path / "bundle"
    bundle.save(file, Recording(objects={"nodes": [{"metadata": {"name": "n1"}}]}, snapshots={"n1": node()}))
    whole = file.read_bytes()
    for place in range(3, len(whole), len(whole) // 12):
        file.write_bytes(flipped(whole, place))
        done = asked(file)

        assert done.returncode in {2, 4}, (place, done)
        assert "Traceback" not in done.stderr


def test_no_name_in_a_file_reaches_the_terminal_as_a_command(tmp_path: Path) -> None:
    """Neither a node's nor the reason why one is missing, nor the file's own."""
    file = tmp_path / f"{RED}b"
    file.write_bytes(node(f"{RED}\x9b31mn1\u202e"))
    wrong = asked(file / "x")
    twice = subprocess.run(
        [sys.executable, "-m", "kubectl_packetpath", *PACKET, str(file), "--node", f"{RED}other"],
        cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip

    for done in (wrong, asked(file), twice):
        assert not set("\x1b\x9b\u202e") & set(done.stdout + done.stderr), done
    assert (wrong.returncode, twice.returncode) == (2, 2)
