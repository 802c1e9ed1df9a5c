"""Packs a folder of files into an image that containerd can import.

Format: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEDIA = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What goes into an image."""

    name: str
    """Such as `localhost/agnhost:1`."""
    entrypoint: tuple[str, ...]
    files: Mapping[str, Path]
    """Path in the image to the file that goes there."""

    def pack(self, archive: Path) -> None:
        """Write the image as an OCI archive. The same input gives the same bytes."""
        layer = self._layer()
        config = _json(
            {
                "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
                "os": "linux",
                "config": {
                    "Entrypoint": list(self.entrypoint),
                    "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                },
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        )
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": f"{MEDIA}.manifest.v1+json",
                "config": _describe(config, f"{MEDIA}.config.v1+json"),
                "layers": [_describe(layer, f"{MEDIA}.layer.v1.tar")],
            }
        )
        names = {"io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": self.name}
        entry = _describe(manifest, f"{MEDIA}.manifest.v1+json") | {"annotations": names}
        index = _json({"schemaVersion": 2, "manifests": [entry]})
        with tarfile.open(archive, "w") as out:
            _add(out, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            _add(out, "index.json", index)
            for blob in (layer, config, manifest):
                _add(out, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)

    def _layer(self) -> bytes:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as out:
            for folder in ("tmp", "etc", "bin"):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
                out.addfile(entry)
            for path, source in sorted(self.files.items()):
                _add(out, path.lstrip("/"), source.read_bytes(), mode=0o755)
        return content.getvalue()


def _add(out: tarfile.TarFile, path: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(data), mode
    out.addfile(entry, io.BytesIO(data))


def _describe(blob: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
