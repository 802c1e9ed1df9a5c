"""This machine behind the interface through which a walk reads a node.

Each namespace keeps what it was asked, so `snapshot` tells what a question touched; a whole snapshot is the
same thing after everything was asked for.
"""

import os
import platform
import socket
import time
from functools import partial

from kubectl_packetpath import __version__
from kubectl_packetpath.snapshot import NamespacePeer, Snapshot
from kubectl_packetpath.snapshot.absent import Absent, Section
from kubectl_packetpath.snapshot.cni import CniConfiguration
from packetpath_agent import files, netns
from packetpath_agent.live_namespace import LiveNamespace
from packetpath_agent.netns import Found
from packetpath_agent.pods import pod_of
from packetpath_agent.reasons import attempted

CNI_FOLDER, CNI_FILES = "etc/cni/net.d", (".conf", ".conflist", ".json")


class LiveNode:
    """This machine as a node; the namespace of this process is the host's own."""

    def __init__(self, name: str | None = None, *, alone: bool = False) -> None:
        """With `alone`, no namespace but the present one is looked at."""
        self._name = name or os.environ.get("NODE_NAME") or socket.gethostname()
        self._troubles: list[str] = []
        self._states: dict[int, LiveNamespace] = {}
        home = netns.own()
        self._home = LiveNamespace(home, is_host=True, pod=None)
        self._states[home.identity] = self._home
        for found in () if alone else netns.others():
            self._add(found)
        for state in self._states.values():
            state.set_peers(partial(self._peers_of, state))

    def _add(self, found: Found) -> None:
        """One namespace that is gone or out of reach costs only itself."""
        try:
            state = LiveNamespace(found, is_host=False, pod=pod_of(found))
        except OSError as error:
            self._lament(found.name or str(found.identity), error)
            return
        try:
            with netns.inside(state.descriptor):
                self._states[found.identity] = state
        except OSError as error:
            self._lament(found.name or str(found.identity), error)
            state.close()

    def _lament(self, name: str, error: OSError) -> None:
        self._troubles.append(f"namespace {name} was not read: {error.strerror or error}")

    def _peers_of(self, state: LiveNamespace) -> tuple[NamespacePeer, ...]:
        """Of the host all; of another one the host, and more only if a device of it needs them."""
        if state is not self._home:
            found = self._numbers(state, (self._home,))
            links = state.links()
            used = {link.link_netnsid for link in (() if isinstance(links, Absent) else links)}
            if used <= {None, *(peer.nsid for peer in found)}:
                return found
        return self._numbers(state, tuple(each for each in self._states.values() if each is not state))

    def _numbers(self, state: LiveNamespace, others: tuple[LiveNamespace, ...]) -> tuple[NamespacePeer, ...]:
        try:
            with netns.inside(state.descriptor):
                return netns.peers({each.identity: each.descriptor for each in others})
        except OSError as error:
            self._lament(str(state.identity), error)
            return ()

    def close(self) -> None:
        """Let go of everything."""
        for state in self._states.values():
            state.close()

    @property
    def name(self) -> str:
        """The Kubernetes node name."""
        return self._name

    @property
    def kernel(self) -> str:
        """As `uname -r` prints it."""
        return platform.release()

    def host(self) -> LiveNamespace:
        """The node's own namespace."""
        return self._home

    def namespace(self, identity: int) -> LiveNamespace | None:
        """A namespace by its inode number; None: it could not be entered."""
        return self._states.get(identity)

    def namespaces(self) -> tuple[LiveNamespace, ...]:
        """All namespaces, the host first."""
        return tuple(self._states.values())

    def read_base(self) -> None:
        """The node's small tables, and which namespaces there are; the addresses of those that no pod claims."""
        self._home.read_base()
        for state in self.namespaces()[1:]:
            if state.pod is None:
                state.addresses()

    def read_everything(self, *, packed: bool = False) -> None:
        """All there is, in every namespace; packed, it can only be recorded."""
        for state in self.namespaces():
            state.read_everything(packed=packed)

    def snapshot(self, *, whole: bool = False) -> Snapshot:
        """What was read so far."""
        namespaces = tuple(state.narrowed(whole=whole) for state in self.namespaces())
        return Snapshot(
            node=self._name,
            taken_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            kernel=self.kernel,
            agent_version=__version__,
            namespaces=namespaces,
            cni=attempted(cni_files),
            troubles=tuple(self._troubles),
        )


def cni_files() -> Section[CniConfiguration]:
    """The CNI configuration of the node."""
    folder = files.on_host(CNI_FOLDER)
    if not folder.is_dir():
        return ()
    return tuple(
        CniConfiguration(file=path.name, text=files.inside(str(folder), path.name))
        for path in sorted(folder.iterdir())
        if path.name.endswith(CNI_FILES) and path.is_file()
    )


__all__ = ["LiveNamespace", "LiveNode"]
