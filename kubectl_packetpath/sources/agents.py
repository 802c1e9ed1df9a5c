"""The agents of a live cluster: one conversation with each node that a walk comes to, all nodes at once.

Each is asked for a small base first, then to run the very walks that the client could not finish: it sends
back what they touched. A node that does not answer costs only itself.
"""

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.codec import RecordingError, decode, encode_value
from kubectl_packetpath.snapshot.conntrack import FlowFilter
from kubectl_packetpath.snapshot.flows import NO_FLOWS, Flows
from kubectl_packetpath.snapshot.merge import merge
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.sources.api import NOT_FOUND, Api, ApiError
from kubectl_packetpath.sources.frames import FrameStream
from kubectl_packetpath.sources.installation import NAMESPACE, Status, status_of
from kubectl_packetpath.sources.trouble import UnreachableError
from kubectl_packetpath.walk.cluster import Need
from kubectl_packetpath.walk.request import ANSWER, PROBLEM, Client, Request, Walk

T = TypeVar("T")
COMMAND = ("packetpath-agent", "serve")
MOST_AT_ONCE = 32
SNAPSHOT_SECONDS = 120.0


Progress = Callable[[int, int], None]
"""Told how many nodes have answered, of how many that were asked at once."""


def _no_progress(_done: int, _total: int) -> None:
    """Nobody is waiting."""


class Agents:
    """Supplies the state of nodes by asking their agents."""

    pause_seconds = 0.1
    """Rules that change stand still some time."""

    def __init__(self, *, api: Api, status: Status, progress: Progress = _no_progress) -> None:
        self._progress = progress
        self.api = api
        self.missing: dict[str, str] = {}
        self._pods = {pod.node: pod for pod in status.pods if pod.node}
        self._streams: dict[str, FrameStream] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._nodes: dict[str, NodeState] = {}
        self._counted: set[tuple[str, FlowFilter]] = set()

    def open(self, names: Collection[str], flows: Flows = NO_FLOWS) -> None:
        """Begin with all these nodes at once; of those that are known, only what was not asked for before."""
        requests: dict[str, bytes] = {}
        for name in names:
            wanted = tuple(key for key in flows.get(name, ()) if (name, key) not in self._counted)
            self._counted.update((name, key) for key in wanted)
            if name not in self._nodes:
                requests[name] = encode_value(Request(what="base", flows=wanted))
            elif wanted:
                requests[name] = encode_value(Request(what="walks", flows=wanted))
        self._all(requests, lambda name: self._take(name, requests[name]))

    def node(self, name: str) -> NodeState | None:
        """What is known of a node; its agent is asked when a walk first comes to it."""
        if name not in self._nodes and name not in self.missing:
            self.open({name})
        return self._nodes.get(name)

    def more(self, needs: tuple[Need, ...]) -> None:
        """Let each node's agent walk what could not be walked here."""
        requests: dict[str, list[Walk]] = {}
        for need in needs:
            requests.setdefault(need.node, []).append(Walk(start=need.start, connections=need.connections))
        frames = {
            name: encode_value(Request(what="walks", walks=tuple(walks))) for name, walks in requests.items()
        }
        self._all(frames, lambda name: self._take(name, frames[name]))

    def read_resolver(self, node: str, client: Client) -> str:
        """Have a pod's resolver configuration read; an agent that does not know how is none the worse for it."""
        if self.node(node) is None:
            return self.missing.get(node, f"{node} was not looked at")
        try:
            self._take(node, encode_value(Request(what="walks", resolvers=(client,))))
        except (RecordingError, UnreachableError) as error:
            return str(error)
        return ""

    def snapshots(self, names: Iterable[str]) -> dict[str, bytes]:
        """Whole recordings, as the agents encoded them."""
        whole: dict[str, bytes] = {}
        frame = encode_value(Request(what="snapshot"))

        def fetch(name: str) -> None:
            data = self._ask(name, frame, SNAPSHOT_SECONDS)
            decode(data)
            whole[name] = data

        self._all(names, fetch)
        return whole

    def _take(self, name: str, frame: bytes) -> None:
        newer = decode(self._ask(name, frame, self.api.access.timeout_seconds))
        older = self._snapshots.get(name)
        self._snapshots[name] = newer if older is None else merge(older, newer)
        self._nodes[name] = RecordedNode(self._snapshots[name])

    def _all(self, names: Iterable[str], ask: Callable[[str], T]) -> None:
        """Ask several nodes at once; what goes wrong is noted beside the node's name."""
        wanted = [name for name in dict.fromkeys(names) if name not in self.missing]
        if not wanted:
            return
        with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, len(wanted))) as pool:
            running = {name: pool.submit(ask, name) for name in wanted}
            self._progress(0, len(wanted))
            for done, _ in enumerate(as_completed(running.values()), 1):
                self._progress(done, len(wanted))
        for name, result in running.items():
            try:
                result.result()
            except RecordingError as error:
                self._lost(name, f"its agent's answer cannot be read: {error}")
            except UnreachableError as error:
                self._lost(name, str(error))

    def _lost(self, name: str, why: str) -> None:
        self.missing[name] = why
        self._nodes.pop(name, None)
        stream = self._streams.pop(name, None)
        if stream is not None:
            stream.close()

    def _ask(self, name: str, frame: bytes, timeout_seconds: float) -> bytes:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self._connected(name)
        stream.send(frame)
        answer = stream.receive(timeout_seconds)
        kind, rest = answer[:1], answer[1:]
        if kind == ANSWER:
            return rest
        said = rest[:500].decode(errors="replace") if kind == PROBLEM else "an answer of an unknown kind"
        raise UnreachableError(said)

    def _connected(self, name: str) -> FrameStream:
        for attempt in range(2):
            pod = self._pods.get(name)
            if pod is None:
                raise UnreachableError("no agent runs there")
            if not pod.ready:
                raise UnreachableError(f"its agent is not ready: {pod.reason or 'old image'}")
            try:
                socket = self.api.open_exec(NAMESPACE, pod.name, COMMAND, self.api.access.timeout_seconds)
            except ApiError as error:
                # A pod may be listed that a restart of its node has ended: look again, once.
                if attempt or error.status not in {NOT_FOUND, 500}:
                    raise
                self._pods = {each.node: each for each in status_of(self.api).pods if each.node}
                continue
            return FrameStream(socket=socket, who="its agent")
        raise UnreachableError("no agent answers there")

    def close(self) -> None:
        """Hang up on all of them."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()
