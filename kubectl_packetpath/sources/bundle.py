"""Recordings in files: a whole cluster's, or one node's.

A bundle is a zip archive that any tool opens: `manifest.json`, the API's objects in `cluster.json`, and each
node's kernel state in `nodes/NAME.bin`. A node's snapshot alone is a bundle of one node.
"""

import gc
import json
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.objects import cluster_of
from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.codec import MAGIC, MOST_UNFOLDED, SMALL_BYTES, RecordingError, decode
from kubectl_packetpath.snapshot.flows import NO_FLOWS, Flows
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.sources.trouble import BundleError
from kubectl_packetpath.walk.cluster import Need
from kubectl_packetpath.walk.request import Client

FORMAT = "packetpath-bundle"
BUNDLE_SCHEMA = 1
MANIFEST, CLUSTER, NODES = "manifest.json", "cluster.json", "nodes/"
MOST_JSON_BYTES = 256 << 20
MOST_NODE_BYTES = 512 << 20
MOST_NODES = 10_000
ABOUT = ("saved_at", "context", "namespace", "version")
MAKES_ONE = "kubectl packetpath snapshot save FILE makes one"
NODE_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What goes into a bundle."""

    objects: Mapping[str, list[dict[str, Any]]]
    """The API's own JSON by kind, already cut down to the fields that are kept."""
    snapshots: Mapping[str, bytes]
    """Each node's snapshot, as the agent encoded it."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Context, namespace, time, version, and the nodes that are missing with the reason."""


def save(file: Path, recording: Recording) -> None:
    """Write a bundle; a file is there whole or not at all."""
    manifest = {"format": FORMAT, "schema": BUNDLE_SCHEMA, **recording.about}
    handle, unfinished = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as out, zipfile.ZipFile(out, "w") as archive:
            _put(archive, MANIFEST, json.dumps(manifest, indent=1).encode())
            _put(archive, CLUSTER, json.dumps(recording.objects, indent=1).encode())
            for name, data in sorted(recording.snapshots.items()):
                _put(archive, f"{NODES}{name}.bin", data)
        Path(unfinished).replace(file)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    packed = name.endswith(".bin")
    archive.writestr(name, data, zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED)


@contextmanager
def _no_collection() -> Iterator[None]:
    """The many records of a node are all kept: looking for some to let go costs a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Bundle:
    """A recording that was opened; nodes are decoded when a walk comes to them."""

    pause_seconds = 0.0
    """What it does not hold, it will not hold a moment later."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._nodes: dict[str, NodeState] = {}
        self._archive: zipfile.ZipFile | None = None
        self.missing: dict[str, str] = {}
        self.cluster = Cluster(context=file.name, recorded=True)
        self.about: dict[str, str] = {}
        """When, of which context and by which version it was saved, as far as it says."""
        try:
            with file.open("rb") as start:
                head = start.read(len(MAGIC))
        except OSError as error:
            raise BundleError(f"{file} cannot be read: {error.strerror}.", MAKES_ONE) from error
        if head == MAGIC:
            self._add(self._decoded(file.read_bytes(), file.name))
            return
        self._open_archive()

    def open(self, names: Collection[str], flows: Flows = NO_FLOWS) -> None:
        """Nothing to prepare: the file is at hand."""

    def node(self, name: str) -> NodeState | None:
        """The state of a node."""
        if name in self.missing:
            return None
        if name not in self._nodes and self._archive is not None and name in self.names:
            self._add(self._decoded(self._read(f"{NODES}{name}.bin", MOST_NODE_BYTES), name), name)
        return self._nodes.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes that are recorded."""
        if self._archive is None:
            return tuple(self._nodes)
        entries = (name for name in self._archive.namelist() if name.startswith(NODES))
        names = (name.removeprefix(NODES).removesuffix(".bin") for name in entries)
        return tuple(sorted(name for name in names if NODE_NAME.fullmatch(name)))

    def read_resolver(self, _node: str, _client: Client) -> str:
        """A recording holds what it holds."""
        return ""

    def more(self, needs: tuple[Need, ...]) -> None:
        """A recording cannot be asked again: what it does not hold stays unknown."""
        for need in needs:
            self.missing.setdefault(need.node, "the recording was narrowed to another question")
            self._nodes.pop(need.node, None)

    def _add(self, snapshot: Snapshot, name: str = "") -> None:
        try:
            self._nodes[name or snapshot.node] = RecordedNode(snapshot)
        except LookupError as error:
            raise BundleError(f"{self.file}: {error}.") from error

    def _decoded(self, data: bytes, name: str) -> Snapshot:
        try:
            with _no_collection():
                return decode(data)
        except RecordingError as error:
            raise BundleError(f"{self.file}, {name}: {error}.") from error

    def _open_archive(self) -> None:
        try:
            self._archive = zipfile.ZipFile(self.file)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise BundleError(
                f"{self.file} is no bundle and no snapshot, or is cut short.",
                MAKES_ONE,
            ) from error
        manifest = self._json(MANIFEST)
        if manifest.get("format") != FORMAT or not isinstance(manifest.get("schema"), int):
            raise BundleError(f"{self.file} is a zip archive, but no bundle of packetpath.")
        if manifest["schema"] > BUNDLE_SCHEMA:
            raise BundleError(
                f"{self.file} was written by a newer version (bundle schema {manifest['schema']}, "
                f"this one reads {BUNDLE_SCHEMA}).",
                "pip install --upgrade kubectl-packetpath",
            )
        objects = {k: v for k, v in self._json(CLUSTER).items() if isinstance(v, list)}
        found = cluster_of(
            {kind: [each for each in rows if isinstance(each, Mapping)] for kind, rows in objects.items()},
            context=self.file.name,
            namespace=str(manifest.get("namespace") or "default"),
        )
        self.cluster = replace(found, recorded=True)
        self.about = {key: str(manifest[key]) for key in ABOUT if manifest.get(key)}
        missing = manifest.get("nodes_missing")
        if isinstance(missing, Mapping):
            self.missing = {str(name): str(why) for name, why in missing.items()}
        if len(self._archive.namelist()) > MOST_NODES:
            raise BundleError(f"{self.file} holds more than {MOST_NODES} nodes.")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            data = json.loads(self._read(name, MOST_JSON_BYTES))
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{self.file}: {name} is damaged.") from error
        if not isinstance(data, dict):
            raise BundleError(f"{self.file}: {name} is damaged.")
        return data

    def _read(self, name: str, most_bytes: int) -> bytes:
        """An entry, and never more of it than fits: its own word about its size is not believed."""
        if self._archive is None:
            raise BundleError(f"{self.file} is no archive.")
        try:
            most_bytes = min(most_bytes, max(SMALL_BYTES, MOST_UNFOLDED * self.file.stat().st_size))
            with self._archive.open(name) as entry:
                data = entry.read(most_bytes + 1)
        except KeyError as error:
            raise BundleError(f"{self.file} has no {name}: it is no bundle, or not whole.") from error
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, zlib.error, NotImplementedError) as error:
            raise BundleError(f"{self.file}: {name} is damaged.") from error
        if len(data) > most_bytes:
            raise BundleError(f"{self.file}: {name} is larger than {most_bytes >> 20} MiB.")
        return data
