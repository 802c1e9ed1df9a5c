"""Clusters that the tests of one session share: each description is brought up once, and few are up at a time."""

import fcntl
import hashlib
import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

from testbed import build, machine
from testbed.cluster import Cluster
from testbed.spec import ClusterSpec
from testbed.state import Record, State
from testbed.waiting import DeadlineError, wait_until

MOST_ALIVE = 1
"""Tests are sorted by cluster, and each cluster takes a third of the inotify instances that Linux allows by default."""
PATIENCE_SECONDS = 300
KEEP = "PACKETPATH_KEEP"
"""Set this to find the clusters still up after the tests; the next session goes on with them."""


def wait_for_room(spec: ClusterSpec) -> None:
    """Other sessions may have clusters up: wait until this machine has room for one more."""
    with suppress(DeadlineError):  # bringing it up will say what is missing
        wait_until(
            "there is room for another cluster",
            lambda: machine.why_not_another(spec) is None,
            timeout_seconds=PATIENCE_SECONDS,
            every_seconds=1,
        )


@dataclass(slots=True, kw_only=True)
class Pool:
    """The clusters of one session."""

    _alive: OrderedDict[ClusterSpec, tuple[Cluster, TextIO]] = field(default_factory=OrderedDict)

    def get(self, spec: ClusterSpec) -> Cluster:
        """A cluster like this (whatever its name), brought up now if it is not."""
        wanted = replace(spec, name="any")
        if wanted in self._alive:
            self._alive.move_to_end(wanted)
            return self._alive[wanted][0]
        while len(self._alive) >= MOST_ALIVE:
            self._take_down(next(iter(self._alive)))
        name, lock = _own_name(wanted)
        if not os.environ.get(KEEP):
            Cluster.down(
                name
            )  # a session that was killed left it, with pods that seem to run until its nodes look
        if Record.load(State(name=name)) is None:
            wait_for_room(spec)
        try:
            self._alive[wanted] = (Cluster.up(replace(spec, name=name)), lock)
        except BaseException:
            with lock:
                Cluster.down(name)
            raise
        return self._alive[wanted][0]

    def close(self) -> None:
        """Take all down, unless they are to be kept."""
        for spec in list(self._alive):
            self._take_down(spec, keep=bool(os.environ.get(KEEP)))

    def _take_down(self, spec: ClusterSpec, *, keep: bool = False) -> None:
        cluster, lock = self._alive.pop(spec)
        with lock:
            if not keep:
                Cluster.down(cluster.spec.name)


def _own_name(spec: ClusterSpec) -> tuple[str, TextIO]:
    """A name that follows from the description, so that what a crash left is found and used; not one in use."""
    digest = hashlib.sha256(repr(spec).encode()).hexdigest()[:6]
    folder = build.cache_folder() / "in-use"
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(100):
        name = f"t{digest}{attempt or ''}"
        lock = (folder / name).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return name, lock
    raise RuntimeError("A hundred sessions run the same cluster.")


def described(**words: Any) -> ClusterSpec:
    """A description from the words of a marker; its name does not matter."""
    return ClusterSpec.of("any", **words)
