"""`kubectl packetpath version`."""

import sys

from kubectl_packetpath import __version__


def version() -> None:
    """What runs here, and which forms of data it reads and writes."""
    from kubectl_packetpath.render.machine import JSON_SCHEMA  # noqa: PLC0415 - keeps `--help` quick
    from kubectl_packetpath.snapshot import SCHEMA  # noqa: PLC0415 - keeps `--help` quick
    from kubectl_packetpath.sources.bundle import BUNDLE_SCHEMA  # noqa: PLC0415 - keeps `--help` quick

    python = ".".join(str(part) for part in sys.version_info[:3])
    print(f"kubectl-packetpath {__version__} (Python {python}, {sys.platform})")
    print(f"schemas: JSON {JSON_SCHEMA}, snapshot {SCHEMA}, bundle {BUNDLE_SCHEMA}")
