"""The names that a program in a pod really asks the cluster's DNS for, and what CoreDNS really answers."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cluster.prediction import Said, packetpath
from cluster.stage import install_agent

from testbed.cluster import Cluster
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge", dns=True)]
ASK = """
import json, socket, sys, threading, time
names, stop = [], threading.Event()
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
tap.settimeout(0.05)
def name_of(data):
    labels = []
    while data and data[0]:
        labels.append(data[1:1 + data[0]].decode())
        data = data[1 + data[0]:]
    return ".".join(labels), int.from_bytes(data[1:3], "big")
def listen():
    while not stop.is_set():
        try:
            frame, place = tap.recvfrom(2048)
        except TimeoutError:
            continue
        if place[2] == socket.PACKET_OUTGOING and frame[23:24] == b"\\x11" and frame[36:38] == b"\\x00\\x35":
            names.append(name_of(frame[54:]))
thread = threading.Thread(target=listen); thread.start()
try:
    found = {each[4][0] for each in socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM)}
except OSError:
    found = set()
time.sleep(0.3); stop.set(); thread.join()
json.dump({"addresses": sorted(found), "questions": names}, sys.stdout)
"""


CACHE = "169.254.20.10"
RELAY = """
import select, socket, sys
front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); front.bind((sys.argv[1], 53))
back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); back.settimeout(2)
print("ready", flush=True)
while True:
    ready, _, _ = select.select([front, sys.stdin], [], [])
    if front not in ready:
        break
    question, client = front.recvfrom(4096)
    back.sendto(question, (sys.argv[2], 53))
    try:
        front.sendto(back.recv(4096), client)
    except TimeoutError:
        pass
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a lookup really did."""

    addresses: list[str]
    names: list[str]
    questions: int


def look_up(cluster: Cluster, namespace: str, pod: str, name: str) -> Seen:
    """Glibc's own lookup, in the pod's network, with the file that the kubelet wrote for the pod."""
    place = cluster.pod(namespace, pod)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(Path(f"/proc/{place.pid}/root/etc/resolv.conf").read_text())
        file.flush()
        mounts = f"mount --make-rprivate / && mount --bind {file.name} /etc/resolv.conf"
        command = ["unshare", "-m", "sh", "-c", f'{mounts} && exec python3 -c "$0" "$1"', ASK, name]
        said: dict[str, Any] = json.loads(place.run(command))
    asked = [name for name, _ in said["questions"]]
    return Seen(addresses=said["addresses"], names=list(dict.fromkeys(asked)), questions=len(asked))


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> str:
    """A namespace with a client, a Service, a headless one, and two aliases."""
    server = Server(name="web", namespace=namespace)
    aliases = {"alias": f"web.{namespace}.svc.cluster.local", "loop": f"loop.{namespace}.svc.cluster.local"}
    cluster.kube.apply(
        server.deployment(2),
        server.service(),
        server.service(name="headless", clusterIP="None"),
        Server(name="client", namespace=namespace).pod(),
        *(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"type": "ExternalName", "externalName": target},
            }
            for name, target in aliases.items()
        ),
    )
    wait_until("the client runs", lambda: _runs(cluster, namespace))
    wait_until("the name is known", lambda: look_up(cluster, namespace, "client", "headless").addresses[1:])
    return namespace


def _runs(cluster: Cluster, namespace: str) -> bool:
    pods = cluster.kube.list("Pod", namespace)
    return all(
        any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        for pod in pods
    )


def predicted(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """What the program says of it."""
    words = (f"http://{name}/", "--from", "pod/client", "-n", namespace)
    (request,) = json.loads(packetpath(cluster, *words).out)["requests"]
    found: dict[str, Any] = request["dns"]
    return found


@pytest.mark.parametrize(
    "pattern",
    [
        "web",
        "web.{namespace}",
        "web.{namespace}.svc",
        "web.{namespace}.svc.cluster.local",
        "web.{namespace}.svc.cluster.local.",
        "headless",
        "alias",
    ],
)
def test_the_questions_and_the_addresses_are_as_told(cluster: Cluster, shop: str, pattern: str) -> None:
    """Every name, in its order; A and AAAA for each."""
    install_agent(cluster)
    name = pattern.format(namespace=shop)

    told = predicted(cluster, shop, name)
    seen = wait_until("a lookup", partial(look_up, cluster, shop, "client", name))

    assert seen.names == [each["name"] for each in told["asked"]]
    assert seen.questions == told["questions"]
    assert seen.addresses == sorted(told["addresses"])


def test_a_file_that_was_changed_is_what_counts(cluster: Cluster, shop: str) -> None:
    """The pod's own file is followed, not what its policy promises; and that they part is a finding."""
    install_agent(cluster)
    file = Path(f"/proc/{cluster.pod(shop, 'client').pid}/root/etc/resolv.conf")
    (server,) = (line for line in file.read_text().splitlines() if line.startswith("nameserver"))
    search = f"search svc.cluster.local {shop}.svc.cluster.local"
    file.write_text(f"{server}\n{search}\noptions ndots:2 single-request\n")

    words = ("http://web/", "--from", "pod/client", "-n", shop)
    (request,) = json.loads(packetpath(cluster, *words).out)["requests"]
    seen = wait_until("a lookup", partial(look_up, cluster, shop, "client", "web"))

    told, found = request["dns"], request["connections"][0]["answer"]["findings"]
    assert seen.names == [each["name"] for each in told["asked"]]
    assert seen.questions == told["questions"]
    assert seen.addresses == sorted(told["addresses"])
    assert (told["resolver"]["from_file"], told["resolver"]["ndots"]) == (True, 2)
    assert [(each["code"], each["severity"]) for each in found] == [("PP701", "problem")]
    assert "ndots is 2, and should be 5" in found[0]["message"]


@contextmanager
def cache_of_node(cluster: Cluster, name: str) -> Iterator[None]:
    """What NodeLocal DNSCache sets up on a node (a bridge will do), with a program behind that asks the cluster's DNS."""
    node = cluster.node(name)
    dns = cluster.kube.get("Service", "kube-dns", "kube-system")["spec"]["clusterIP"]
    node.run(["ip", "link", "add", "nodelocaldns", "type", "bridge"])
    try:
        node.run(["ip", "address", "add", f"{CACHE}/32", "dev", "nodelocaldns"])
        command = [*node.network_prefix, sys.executable, "-c", RELAY, CACHE, dns]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as relay:
            assert relay.stdout is not None
            assert relay.stdin is not None
            assert relay.stdout.readline() == b"ready\n"
            yield
            relay.stdin.close()
    finally:
        node.run(["ip", "link", "delete", "nodelocaldns"])


def test_the_cache_of_a_node_is_recognised(cluster: Cluster, shop: str) -> None:
    """By its device; its address is no difference from what the API promises, and the way leads there."""
    install_agent(cluster)
    place = cluster.pod(shop, "client")
    file = Path(f"/proc/{place.pid}/root/etc/resolv.conf")
    lines = [line for line in file.read_text().splitlines() if not line.startswith("nameserver")]
    file.write_text("\n".join((f"nameserver {CACHE}", *lines, "")))

    with cache_of_node(cluster, place.node):
        seen = wait_until("a lookup", partial(look_up, cluster, shop, "client", "web"))
        said = json.loads(packetpath(cluster, "http://web/", "--from", "pod/client", "-n", shop).out)

    (request,) = said["requests"]
    told, first = request["dns"], request["connections"][0]
    assert seen.addresses == sorted(told["addresses"])
    assert seen.names == [each["name"] for each in told["asked"]]
    assert first["title"] == f"to NodeLocal DNSCache: {CACHE} is on the device nodelocaldns of {place.node}"
    assert (first["answer"]["verdict"], first["answer"]["findings"]) == ("DELIVERED", [])


def test_nobody_answers_questions(cluster: Cluster, shop: str) -> None:
    """Without CoreDNS no name is resolved, and the way to its Service says why: exit code 1."""
    install_agent(cluster)
    kube = cluster.kube
    dns = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "kube-system", "name": "coredns"},
    }
    words = ("http://web/", "--from", "pod/client", "-n", shop)
    replicas = kube.get("Deployment", "coredns", "kube-system", api="apps/v1")["spec"]["replicas"]
    kube.patch(dns | {"spec": {"replicas": 0}})
    try:
        wait_until("nobody answers", lambda: not look_up(cluster, shop, "client", "web").addresses)
        said = wait_until("the rules know it", lambda: _without_dns(packetpath(cluster, *words)))
    finally:
        kube.patch(dns | {"spec": {"replicas": replicas}})
        wait_until("names are known again", lambda: look_up(cluster, shop, "client", "web").addresses)

    assert said is not None
    (request,) = json.loads(said.out)["requests"]
    to_dns, to_service = request["connections"]
    assert said.code == 1
    assert to_dns["answer"]["question"]["subject"] == "kube-system/kube-dns:dns"
    assert to_service["answer"]["verdict"] == "DELIVERED"


def _without_dns(said: Said) -> Said | None:
    assert said.out, said.err
    (request,) = json.loads(said.out)["requests"]
    return said if request["connections"][0]["answer"]["verdict"] == "NO_BACKEND" else None
