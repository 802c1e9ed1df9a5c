"""The control plane of a cluster in the virtual machine runs outside of it: emulated, it would be some forty times slower.

Inside, each of its programs is a place holder that asks for the real one by a file in the folder that both sides see, and
packets to the API server are translated, through the guest's one device, to the loopback address of the emulator's own
network namespace, where the real one listens. It has only what it is asked for over that way: it reaches nothing inside, so
there is no `kubectl exec` in the virtual machine.
"""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from zlib import crc32

from testbed import machine
from testbed.netns import Namespace, succeed
from testbed.state import State

FOLDER = "PACKETPATH_HOSTED"
"""Set inside of the virtual machine: the folder in which it asks."""
OUTSIDE = "10.0.2.2"
"""The emulator's name for its own loopback address."""
VERSION = 4
"""Of IP, on that way."""
API_PORT = 6443
WAITING = ("/bin/sleep", "infinity")
LOOK_SECONDS = 0.2
FIRST_IN_LINE = ("nice", "-n", "-18")
"""The guest waits for it, and is itself before everybody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where a cluster's programs listen: several clusters share the one namespace."""

    api: int
    etcd: int
    etcd_peers: int


def folder() -> Path | None:
    """Where to ask, inside of the virtual machine; None: the control plane runs where the cluster is."""
    given = os.environ.get(FOLDER)
    return Path(given) if given else None


def ports(state: State) -> Ports:
    """By the cluster's name."""
    number = crc32(state.name.encode()) % 10000
    return Ports(api=10000 + number, etcd=20000 + number, etcd_peers=30000 + number)


def offer(state: State, asked: Path) -> None:
    """Put certificates and configuration where the programs outside see them."""
    for name in ("pki", "kubeconfigs"):
        shutil.copytree(state.folder / name, asked / state.name / name, dirs_exist_ok=True)


def place_holder(state: State, asked: Path, name: str, command: tuple[str, ...]) -> tuple[str, ...]:
    """What to run inside instead of a program: it asks, and waits."""
    own = str(asked / state.name)
    words = [each.replace(str(state.folder), own) for each in command]
    file = f"{own}/{name}.json"
    ask = 'printf %s "$1" > "$2.new" && mv "$2.new" "$2" && shift 2 && exec "$@"'
    return ("sh", "-c", ask, "sh", json.dumps(words), file)


def lead_out(control: Namespace, link: IPv4Network, state: State) -> None:
    """Packets for the API server leave the cluster's namespace, translated, by way of the guest's own."""
    port = ports(state).api
    control.ip(f"route replace {OUTSIDE}/32 via {link[1]} dev kubectl")
    control.sysctls({"net/ipv4/ip_forward": 1})
    rules = f"""
    table ip hosted {{
        chain in {{ type nat hook prerouting priority dstnat; tcp dport {{ {API_PORT}, {port} }} dnat to {OUTSIDE}:{port}; }}
        chain out {{ type nat hook postrouting priority srcnat; ip daddr {OUTSIDE} masquerade; }}
    }}
    """
    succeed([*control.enter, "nft", "-f", "-"], stdin=rules)


@contextmanager
def hosting(asked: Path, namespace: Namespace) -> Iterator[None]:
    """Start what is asked for in this folder, until the end."""
    shutil.rmtree(asked, ignore_errors=True)
    asked.mkdir(parents=True)
    over = threading.Event()
    running: dict[Path, Running] = {}

    def serve() -> None:
        while not over.wait(LOOK_SECONDS):
            for file in asked.glob("*/*.json"):
                _serve(file, running, namespace)

    server = threading.Thread(target=serve, name="hosted", daemon=True)
    server.start()
    try:
        yield
    finally:
        over.set()
        server.join()
        for each in running.values():
            each.process.kill()
        for each in running.values():
            each.process.wait()
        for data in asked.glob("*/etcd"):
            shutil.rmtree(data, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A program outside, and the moment of the request for it."""

    asked_ns: int
    process: "subprocess.Popen[bytes]"


def _serve(file: Path, running: dict[Path, Running], namespace: Namespace) -> None:
    """Start it; asked for once more, start it anew."""
    asked_ns = file.stat().st_mtime_ns
    before = running.get(file)
    if before is not None:
        if before.asked_ns == asked_ns:
            return
        before.process.kill()
        before.process.wait()
    command = [*namespace.enter, *FIRST_IN_LINE, "setpriv", "--pdeathsig=KILL", *json.loads(file.read_text())]
    environment: Mapping[str, str] = {"PATH": machine.SYSTEM_PATH, "HOME": "/root"}
    with file.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    running[file] = Running(asked_ns=asked_ns, process=process)
