"""Tunnels that this machine's kernel lacks are tested in the virtual machine."""

import pytest

from testbed.vm import remote


def pytest_configure(config: pytest.Config) -> None:
    """The tests of clusters may have announced it already."""
    if not any(config.pluginmanager.has_plugin(f"packetpath-vm-{side}") for side in ("host", "guest")):
        remote.register(config)
