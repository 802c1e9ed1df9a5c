"""Recordings in files, whole and damaged."""

import json
import zipfile
from pathlib import Path

import pytest

from kubectl_packetpath.snapshot import NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.codec import encode
from kubectl_packetpath.sources import bundle
from kubectl_packetpath.sources.bundle import Bundle, Recording
from kubectl_packetpath.sources.trouble import BundleError

HOST = NetworkNamespace(identity=4026531840, is_host=True)


def node(name: str) -> bytes:
    """A node's snapshot with next to nothing in it."""
    return encode(Snapshot(node=name, taken_at="2026-01-01T00:00:00Z", namespaces=(HOST,)))


def recording() -> Recording:
    """Two nodes, one more that did not answer, and one Service."""
    return Recording(
        objects={
            "services": [
                {"metadata": {"namespace": "shop", "name": "web"}, "spec": {"clusterIP": "10.96.0.9"}}
            ],
            "nodes": [{"metadata": {"name": name}} for name in ("n1", "n2", "n3")],
        },
        snapshots={"n1": node("n1"), "n2": node("n2")},
        about={"namespace": "shop", "nodes_missing": {"n3": "its agent does not answer"}},
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A whole bundle."""
    bundle.save(tmp_path / "b.zip", recording())
    return tmp_path / "b.zip"


def test_what_was_saved_is_there_again(file: Path) -> None:
    """Objects, nodes, and the reason why one is missing."""
    found = Bundle(file)

    assert found.names == ("n1", "n2")
    assert found.cluster.namespace == "shop"
    assert found.cluster.service("shop", "web") is not None
    assert found.missing == {"n3": "its agent does not answer"}
    state = found.node("n1")
    assert state is not None
    assert state.host().identity == HOST.identity


def test_a_node_that_is_missing_is_none(file: Path) -> None:
    """Not an error: its absence is part of the answer."""
    assert Bundle(file).node("n3") is None


def test_saving_leaves_nothing_else_behind(file: Path) -> None:
    """The file is written beside, and put in place when it is whole."""
    assert [each.name for each in file.parent.iterdir()] == ["b.zip"]


def test_a_snapshot_alone_is_a_bundle_of_one_node(tmp_path: Path) -> None:
    """As `packetpath-agent snapshot` writes it."""
    file = tmp_path / "n1.bin"
    file.write_bytes(node("n1"))

    assert Bundle(file).names == ("n1",)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_bundle_that_is_cut_short_is_refused(file: Path, share: float) -> None:
    """Wherever it ends."""
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(BundleError):
        Bundle(file)


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04 rest", b"PPSNAP\x00", b"PPSNAP\x00\x01garbage"])
def test_garbage_is_refused(tmp_path: Path, data: bytes) -> None:
    """In one sentence."""
    file = tmp_path / "x"
    file.write_bytes(data)

    with pytest.raises(BundleError):
        Bundle(file)


def test_a_snapshot_of_a_newer_version_says_so(tmp_path: Path) -> None:
    """Rather than to fail somewhere inside."""
    file = tmp_path / "x"
    file.write_bytes(b"PPSNAP\x00\xff" + node("n1")[8:])

    with pytest.raises(BundleError, match="newer"):
        Bundle(file)


def test_a_bundle_of_a_newer_version_says_so(tmp_path: Path) -> None:
    """And what to do."""
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"format": "packetpath-bundle", "schema": 99}))
        archive.writestr("cluster.json", "{}")

    with pytest.raises(BundleError, match="newer") as refusal:
        Bundle(file)

    assert refusal.value.remedy


def test_any_other_zip_is_no_bundle(tmp_path: Path) -> None:
    """Whatever else is in it."""
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", "{}")

    with pytest.raises(BundleError, match="no bundle"):
        Bundle(file)


def test_an_entry_larger_than_allowed_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file cannot unfold into the whole memory."""
    monkeypatch.setattr(bundle, "MOST_JSON_BYTES", 10)

    with pytest.raises(BundleError, match="larger"):
        Bundle(file)


def test_a_damaged_node_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    """The others stay readable."""
    whole = recording()
    bundle.save(
        tmp_path / "b.zip",
        Recording(
            objects=whole.objects, snapshots={"n1": node("n1"), "n2": node("n2")[:-5]}, about=whole.about
        ),
    )
    found = Bundle(tmp_path / "b.zip")

    assert found.node("n1") is not None
    with pytest.raises(BundleError, match="n2"):
        found.node("n2")
