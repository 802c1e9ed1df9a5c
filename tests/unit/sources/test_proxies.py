"""Proxies asked in the background: whoever is silent or forbidden costs a note, and no answer."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
from builders import client_pod

from kubectl_packetpath.cluster.http.live.model import Loaded
from kubectl_packetpath.sources import proxies
from kubectl_packetpath.sources.api import Api, ApiError
from kubectl_packetpath.sources.proxies import Proxies

POD = client_pod(1)
BINARY = 2


@dataclass(slots=True)
class Envoy:
    """A websocket that leads to the recorded answers, one for each question."""

    ready: list[tuple[int, bytes]] = field(default_factory=lambda: [(BINARY, b"\x00\x29\x23")])

    def settimeout(self, timeout: float) -> None:
        """Nothing waits here."""

    def recv_data(self) -> tuple[int, bytes]:
        """The next message."""
        return self.ready.pop(0)

    def send_binary(self, payload: bytes) -> int:
        """Answer."""
        name = "routes" if b"/config_dump" in payload else payload.split(b"/")[1].split(b"?")[0].decode()
        body = (Path(__file__).parent / "envoy" / f"{name}.json").read_bytes()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
        self.ready.append((BINARY, b"\x00" + head.encode() + body))
        return len(payload)

    def close(self) -> None:
        """Nothing to close."""


@dataclass(slots=True)
class Forwards:
    """An API server that forwards a port, refuses, or never answers."""

    result: Any

    def open_forward(self, *_given: Any) -> Any:
        """The connection."""
        if isinstance(self.result, Exception):
            raise self.result
        if isinstance(self.result, Event):
            self.result.wait(20)
            raise OSError
        return self.result


def said(result: Any) -> Loaded | str:
    """What comes of asking one proxy."""
    found = Proxies(api=cast("Api", Forwards(result)))
    found.ask([(POD, 9001)])
    return found.of(POD)


def test_listeners_routes_and_clusters_are_read() -> None:
    """Over one connection."""
    found = said(Envoy())

    assert isinstance(found, Loaded)
    assert (len(found.listeners), len(found.tables), len(found.clusters)) == (2, 1, 3)


def test_who_may_not_forward_a_port_is_told_which_right_it_takes() -> None:
    """The answer goes on without it."""
    refused = ApiError(403, "Not allowed")

    assert said(refused) == "it may not be asked (docs/permissions.md: create and get pods/portforward there)"


def test_a_silent_proxy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time, whatever it is still doing."""
    monkeypatch.setattr(proxies, "SECONDS", 0.1)
    never = Event()
    begin = time.monotonic()

    found = said(never)
    never.set()

    assert found == "it did not answer within 0 s"
    assert time.monotonic() - begin < 5
