"""How a file is read and which names are asked for, beside what glibc of this machine really does with the same file."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubectl_packetpath.cluster.naming.resolv import candidates, parse_resolv_conf

pytestmark = pytest.mark.kernel
ASK = """
import ctypes, json, os, socket, subprocess, sys, threading
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "add", "192.0.2.53/32", "dev", "lo"], check=True)
def serve(server, names):
    while True:
        question, client = server.recvfrom(2048)
        labels, rest = [], question[12:]
        while rest[0]:
            labels.append(rest[1:1 + rest[0]].decode("latin1"))
            rest = rest[1 + rest[0]:]
        names.append(".".join(labels).lower())
        server.sendto(question[:2] + b"\\x81\\x83" + question[4:6] + bytes(6) + question[12:], client)
asked = []
for address in ("127.0.0.1", "192.0.2.53"):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    threading.Thread(target=serve, args=(server, asked), daemon=True).start()
libc = ctypes.CDLL(None)
libc.__res_state.restype = ctypes.c_void_p
def look_up(name):
    libc.__res_init()
    state = ctypes.string_at(libc.__res_state(), 400)
    try:
        socket.getaddrinfo(name.encode(), 80, type=socket.SOCK_STREAM)
    except OSError:
        pass
    count = int.from_bytes(state[16:20], "little")
    return {
        "timeout": int.from_bytes(state[0:4], "little", signed=True),
        "attempts": int.from_bytes(state[4:8], "little", signed=True),
        "servers": [socket.inet_ntoa(state[24 + 16 * n:28 + 16 * n]) for n in range(count)],
        "ndots": state[392] & 15,
    }
told = []
for text, name in json.load(sys.stdin):
    with open("/etc/resolv.conf", "wb") as file:
        file.write(text.encode("latin1"))
    del asked[:]
    reader, writer = os.pipe()
    child = os.fork()  # the library keeps some of what it read before
    if not child:
        os.write(writer, json.dumps(look_up(name)).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as stream:
        told.append(json.load(stream) | {"asked": list(dict.fromkeys(asked))})
json.dump(told, sys.stdout)
"""
POD = (
    "nameserver 192.0.2.53\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
)
LONG = "x" * 70
CASES = {
    "a pod's": (POD, "web"),
    "a pod's, with a dot at the end": (POD, "web.shop."),
    "a pod's, with enough dots": (POD, "a.b.c.d.e.f"),
    "a pod's, with two dots at the end": (POD, "web.."),
    "indented": ("  nameserver 192.0.2.53\n search a b\n", "web"),
    "comments": ("nameserver\t192.0.2.53 # x\nsearch a b # c\n; nameserver 127.0.0.1\n", "web"),
    "a comment too near": ("nameserver 192.0.2.53#x\n", "web"),
    "lines of Windows": ("nameserver 192.0.2.53\r\nsearch a b\r\noptions ndots:5\r\n", "web.x."),
    "a null byte": ("nameserver 192.0.2.53\x00foo\nsearch a\x00b c\n", "web"),
    "no addresses": ("nameserver 999.0.0.1\nnameserver foo\n", "web"),
    "short addresses": ("nameserver 192.565\nnameserver 0xc0000235\nnameserver 0300.0.02.065\n", "web"),
    "four servers": ("".join(f"nameserver 192.0.2.{n}\n" for n in (53, 1, 2, 3)), "web"),
    "one domain": ("search a b\ndomain c d\n", "web"),
    "an empty search": ("search a b\nsearch \nsearch\ndomain \n", "web"),
    "the root": ("search .\n", "web"),
    "dots around": ("search a. .b C.Example.\n", "Web"),
    "no number": ("search a\noptions ndots:abc timeout:1\n", "web"),
    "a number with a tail": ("search a\noptions ndots:2x\n", "web.shop"),
    "below zero": ("search a\noptions ndots:-1\n", "web.shop"),
    "too much": ("search a\noptions ndots:99 timeout:99 attempts:99\n", "a.b"),
    "far too much": ("search a\noptions ndots:99999999999999999999\n", "a.b"),
    "a blank inside": ("search a\noptions ndots: 7\n", "web"),
    "the last counts": ("options ndots:2\noptions timeout:3\noptions ndots:4\nsearch a\n", "a.b.c"),
    "other separators": ("options attempts:3;ndots:3,rotate\nsearch a\n", "a.b"),
    "no-tld-query": ("options no-tld-query\nsearch a\n", "web"),
    "no-tld-query without domains": ("options no-tld-query\n", "web"),
    "other blanks": ("nameserver 192.0.2.53\x0b\nsearch\x0bz\noptions\x0cndots:7\n", "web"),
    "more than six domains": (f"search {' '.join(f'd{n}' for n in range(12))}\n", "web"),
    "a domain too long": (f"search a {LONG} b\n", "web"),
    "a name too long": ("search a\n", LONG),
    "empty": ("", "web"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What glibc made of a file, and what it asked for."""

    servers: list[str]
    numbers: tuple[int, int, int]
    asked: list[str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """All files, one after the other, in a network of their own in which no name is known."""
    file = tmp_path_factory.mktemp("etc") / "resolv.conf"
    file.write_text("")
    mounts = f"mount --make-rprivate / && mount --bind {file} /etc/resolv.conf"
    command = ["unshare", "-mn", "sh", "-c", f'{mounts} && exec "$1" -c "$0"', ASK, sys.executable]
    clean = {key: value for key, value in os.environ.items() if key not in {"LOCALDOMAIN", "RES_OPTIONS"}}
    done = subprocess.run(
        command,
        input=json.dumps(list(CASES.values())),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
        env=clean,
    )
    told = json.loads(done.stdout)
    return {
        name: Seen(
            servers=each["servers"],
            numbers=(each["ndots"], each["timeout"], each["attempts"]),
            asked=each["asked"],
        )
        for name, each in zip(CASES, told, strict=True)
    }


@pytest.mark.skipif(not Path("/etc/resolv.conf").exists(), reason="there is no file to lay another one over")
@pytest.mark.parametrize("case", CASES)
def test_a_file_is_read_as_glibc_reads_it(case: str, seen: dict[str, Seen]) -> None:
    """Servers and numbers; and every name that is asked for, in its order."""
    text, name = CASES[case]
    conf = parse_resolv_conf(text)

    assert list(conf.asked_servers) == seen[case].servers
    assert (conf.ndots, conf.timeout_seconds, conf.attempts) == seen[case].numbers
    if {"127.0.0.1", "192.0.2.53"} & set(conf.asked_servers[:1]):
        assert [each.name for each in candidates(name, conf)] == seen[case].asked
