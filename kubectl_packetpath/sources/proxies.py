"""Proxies that are asked for what they have loaded, beside everything else that an answer takes.

They are asked while the nodes are looked at, so that an answer seldom waits for them, and never beyond a deadline. Whoever may
not forward a port to them, or finds them silent, gets the same answer with a note.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from kubectl_packetpath.cluster.http.live.model import Loaded
from kubectl_packetpath.cluster.model import Pod
from kubectl_packetpath.sources.api import FORBIDDEN, Api, ApiError
from kubectl_packetpath.sources.envoy import CLUSTERS, LISTENERS, ROUTES, clusters_of, listeners_of, tables_of
from kubectl_packetpath.sources.forward import Forwarded

SECONDS = 2.0
"""For one proxy, from the first word to the last."""
MOST_BYTES = 16 << 20
"""Of each of its three answers."""
MOST_WORDS = 300
RIGHT = "docs/permissions.md: create and get pods/portforward there"


@dataclass(slots=True, kw_only=True)
class Asked:
    """One proxy, asked in the background."""

    pod: Pod
    port: int
    deadline: float
    loaded: Loaded | None = None
    why: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    def ask(self, api: Api) -> None:
        """Read it; what is in the way becomes a sentence."""
        try:
            self.loaded = read(api, self.pod, self.port, self.deadline)
        except ApiError as error:
            self.why = f"it may not be asked ({RIGHT})" if error.status == FORBIDDEN else str(error)
        except Exception as error:  # noqa: BLE001 - nobody would see it here, and no answer may fail for it
            self.why = (str(error).splitlines() or [""])[0][:MOST_WORDS] or type(error).__name__
        finally:
            self.done.set()

    def wait(self) -> Loaded | str:
        """What it says, or why that is not known."""
        self.done.wait(max(0.0, self.deadline - time.monotonic()))
        if self.loaded is not None:
            return self.loaded
        return self.why or f"it did not answer within {SECONDS:.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """All proxies of a question, asked once or, where that seems worth it, again."""

    api: Api
    asked: dict[str, Asked] = field(default_factory=dict)

    def ask(self, wanted: Iterable[tuple[Pod, int]]) -> None:
        """Begin with these; those that were asked before are asked again."""
        for pod, port in wanted:
            one = Asked(pod=pod, port=port, deadline=time.monotonic() + SECONDS)
            self.asked[pod.full_name] = one
            # A thread that nobody waits for at the end: its answer may never come.
            threading.Thread(target=one.ask, args=(self.api,), daemon=True).start()

    def of(self, pod: Pod) -> Loaded | str:
        """What a proxy says, or why that is not known."""
        one = self.asked.get(pod.full_name)
        return one.wait() if one is not None else "it was not asked"


def read(api: Api, pod: Pod, port: int, deadline: float) -> Loaded:
    """All that an Envoy says of itself, over one connection."""
    seconds = max(0.1, deadline - time.monotonic())
    link = Forwarded(socket=api.open_forward(pod.namespace, pod.name, port, seconds), deadline=deadline)
    try:
        return Loaded(
            listeners=listeners_of(link.get(LISTENERS, MOST_BYTES)),
            tables=tables_of(link.get(ROUTES, MOST_BYTES)),
            clusters=clusters_of(link.get(CLUSTERS, MOST_BYTES)),
        )
    finally:
        link.close()
