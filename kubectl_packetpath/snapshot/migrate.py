"""Older recordings, one step for each rise of the schema.

A step takes the plain data of schema N and returns that of schema N + 1.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kubectl_packetpath.snapshot import SCHEMA


def _as_it_is(plain: Any) -> Any:
    """2, 3 and 4 only added fields: what an older recording does not have was not asked for."""
    return plain


STEPS: Mapping[int, Callable[[Any], Any]] = {1: _as_it_is, 2: _as_it_is, 3: _as_it_is}
"""From which schema, and how to the next one."""


def migrated(plain: Any, schema: int) -> Any:
    """The data as the present schema has it."""
    for version in range(schema, SCHEMA):
        plain = STEPS[version](plain)
    return plain
