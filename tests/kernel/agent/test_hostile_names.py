"""Names in the kernel that are meant for a terminal: what the commands print of them obeys nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernel.lab import lab

from kubectl_packetpath.render import FORMATS
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[3]
AGENT, CLIENT = (
    str(Path(sys.executable).with_name(name)) for name in ("packetpath-agent", "kubectl-packetpath")
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'agent'}", "TERM": "xterm-256color"}
IN, OUT = b"i\x1b[31m\x07\xff", "o\u009b31m\u202e".encode()
"""Neither white space, nor a slash, nor a colon: the kernel takes all the rest, in up to 15 bytes."""
COMMENT = "seen\x1b]0;owned\x07\x1b[2J\r\x08"
CONTROL = {*map(chr, range(32)), *map(chr, range(127, 160)), "\u202e"} - {"\n"}
RULES = f"""*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -p tcp -m tcp --dport 80 -m comment --comment "{COMMENT}" -j DROP
COMMIT
"""


@pytest.fixture(scope="module", params=["legacy", "nft"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded node with such devices, and a rule with such a comment."""
    file = tmp_path_factory.mktemp("names") / "node"
    with lab("names") as made:
        made.add("n")
        made["n"].sysctls({"net/ipv4/ip_forward": 1})
        for number, name in enumerate((IN, OUT)):
            far = f"far{number}"
            inside = [b"ip", b"-n", made["n"].name.encode()]
            subprocess.run(
                [*inside, b"link", b"add", name, b"type", b"veth", b"peer", b"name", far], check=True
            )
            subprocess.run([*inside, b"link", b"set", name, b"up"], check=True)
            made["n"].ip(f"link set {far} up")
            address = f"10.{number}.0.1/24".encode()
            subprocess.run([*inside, b"addr", b"add", address, b"dev", name], check=True)
        succeed([*made["n"].enter, f"iptables-{request.param}-restore"], stdin=RULES)
        snapshot = [AGENT, "snapshot", "--this-namespace", "--node", "n1", "--output", str(file)]
        done = subprocess.run(
            [*made["n"].enter, *snapshot], env=ENVIRONMENT, check=True, capture_output=True, text=True
        )
        assert not CONTROL & set(done.stdout + done.stderr)
    return file


@pytest.mark.parametrize("port", [80, 81])
@pytest.mark.parametrize("style", sorted(FORMATS))
def test_no_format_prints_a_name_raw(bundle: Path, style: str, port: int) -> None:
    """In all of them the packet's way is told, by devices whose names are cleaned."""
    device = IN.decode("utf-8", "backslashreplace")
    packet = f"--src 10.0.0.9 --dst 10.1.0.9 --protocol tcp --dport {port} -o {style}"
    done = subprocess.run(
        [CLIENT, "packet", "--bundle", str(bundle), "--node", "n1", "--in", device, *packet.split()],
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
    )
    said = done.stdout.decode() + done.stderr.decode()

    assert done.returncode == 1
    assert not CONTROL & set(said), said
    assert "xff" in said
