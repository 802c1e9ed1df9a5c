"""One furnished namespace for all tests of the agent's reading."""

from collections.abc import Iterator

import pytest
from kernel.agent.room import Full, furnished

from testbed.netns import OWN


@pytest.fixture(scope="session")
def full() -> Iterator[Full]:
    """Everything loaded, everything read."""
    with furnished(f"{OWN}witness") as made:
        yield made
