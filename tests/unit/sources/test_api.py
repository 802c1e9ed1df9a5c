"""What the API server refuses, or does not even answer, is told as what was wanted of it."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import urllib3
from kubernetes import client

from kubectl_packetpath.sources.api import Access, Api, ApiError
from kubectl_packetpath.sources.trouble import UnreachableError

SAID = "container not found"


class Refusing(BaseHTTPRequestHandler):
    """An API server that refuses everything, in Kubernetes' words."""

    def do_GET(self) -> None:
        """Also websockets begin so."""
        body = json.dumps({"kind": "Status", "status": "Failure", "message": SAID}).encode()
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is written anywhere."""


class Portal(BaseHTTPRequestHandler):
    """A program before the API server that wants a person to log in, or an old gateway's list."""

    def do_GET(self) -> None:
        """With success."""
        body = b"[]" if self.path.endswith("list") else b"<html>Please log in</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is written anywhere."""


def api_at(port: int) -> Api:
    """A connection to what listens on a port of this machine."""
    configuration = client.Configuration(host=f"http://127.0.0.1:{port}")
    configuration.proxy = None
    return Api(
        access=Access(),
        configuration=configuration,
        context="test",
        namespace="default",
        pool=urllib3.PoolManager(),
    )


@pytest.fixture
def refusing() -> Iterator[Api]:
    """An API server that refuses everything."""
    yield from served_by(Refusing)


@pytest.fixture
def portal() -> Iterator[Api]:
    """What stands where the API server should be."""
    yield from served_by(Portal)


def served_by(handler: type[BaseHTTPRequestHandler]) -> Iterator[Api]:
    """On a port of the kernel's choice."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api_at(server.server_port)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def silent() -> Iterator[Api]:
    """Nothing listens on its port, and nobody else can take it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield api_at(taken.getsockname()[1])


def test_a_refused_exec_is_told_with_its_pod(refusing: Api) -> None:
    """With the API server's own words, and no path of its."""
    with pytest.raises(ApiError) as caught:
        refusing.open_exec("shop", "web-1", ("true",), 5)

    assert (str(caught.value), caught.value.status) == (f"exec into shop/web-1 failed: {SAID}", 500)


def test_a_refused_forward_is_told_with_its_port(refusing: Api) -> None:
    """It is no exec, though its websocket is opened alike."""
    with pytest.raises(ApiError) as caught:
        refusing.open_forward("shop", "web-1", 9001, 5)

    assert (str(caught.value), caught.value.status) == (
        f"forwarding port 9001 of shop/web-1 failed: {SAID}",
        500,
    )


def test_an_exec_that_reaches_nobody_is_told_with_its_pod(silent: Api) -> None:
    """The kernel's reason stands behind it."""
    with pytest.raises(UnreachableError, match=r"^exec into shop/web-1 failed: .*refused"):
        silent.open_exec("shop", "web-1", ("true",), 5)


def test_a_forward_that_reaches_nobody_is_told_with_its_port(silent: Api) -> None:
    """Likewise."""
    with pytest.raises(UnreachableError, match=r"^forwarding port 9001 of shop/web-1 failed: .*refused"):
        silent.open_forward("shop", "web-1", 9001, 5)


def test_a_refused_request_is_told_with_its_path(refusing: Api) -> None:
    """There is nothing else to call it by."""
    with pytest.raises(ApiError, match=f"^GET /api/v1/nodes: {SAID}$"):
        refusing.get("/api/v1/nodes")


@pytest.mark.parametrize("path", ["/api/v1/nodes", "/list"])
def test_what_is_no_api_server_is_told_as_such(portal: Api, path: str) -> None:
    """With the command that shows where one is led."""
    with pytest.raises(UnreachableError, match="does not answer like Kubernetes") as caught:
        portal.get(path)

    assert caught.value.remedy == "kubectl cluster-info --context test"


@pytest.mark.parametrize(
    "content", [None, "", "hello", "a: [", "[]", "contexts: 3", "contexts: [{}]", "\x00"]
)
def test_a_file_that_is_no_kubeconfig_is_named(content: str | None, tmp_path: Path) -> None:
    """Whichever way the library that reads it fails, or where there is none at all."""
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)

    with pytest.raises(UnreachableError) as trouble:
        Api.connect(Access(kubeconfig=str(file)))

    assert str(file) in str(trouble.value)
    assert trouble.value.remedy
