"""These tests run in the virtual machine, whose kernel has IPVS."""

import pytest

from testbed.vm import remote


def pytest_configure(config: pytest.Config) -> None:
    """Send them there."""
    remote.register(config)
