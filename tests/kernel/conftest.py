"""What this machine's kernel lacks is tested in the virtual machine."""

import pytest

from testbed.vm import remote


def pytest_configure(config: pytest.Config) -> None:
    """Send the tests that are marked so there, whichever of them are asked for."""
    remote.register(config)
