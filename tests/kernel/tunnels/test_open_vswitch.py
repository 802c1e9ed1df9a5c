"""A node whose pods are behind Open vSwitch: its flows decide, and the walk says so instead of guessing."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.lab import Lab, lab, question, walk

from kubectl_packetpath.trace import Verdict
from testbed.netns import succeed

pytestmark = [pytest.mark.kernel, pytest.mark.vm]

SWITCH = Path(__file__).with_name("switch.py")
HOST, POD = "10.6.0.1", "10.6.0.2"


@pytest.fixture
def switched() -> Iterator[Lab]:
    """The pod's device and the host's address are on a datapath without flows."""
    with lab("ovs") as made:
        made.add("host", "pod")
        made.connect(("pod", "eth0"), ("host", "veth0"))
        made["pod"].ip(f"addr add {POD}/24 dev eth0")
        succeed([*made["host"].enter, sys.executable, str(SWITCH), "dp0", "veth0"])
        made["host"].ip("link set dp0 up", f"addr add {HOST}/24 dev dp0")
        for name in ("host", "pod"):
            made.serve(name, "tcp:8080")
        yield made


@pytest.mark.parametrize(("source", "target"), [("pod", HOST), ("host", POD)])
def test_the_flows_decide(switched: Lab, source: str, target: str) -> None:
    """The host's own stack never sees what comes in by a device of the switch, nor where its own port sends it."""
    seen = switched.reach(source, target, 8080, seconds=1.0)

    (path,) = walk(switched, source, question(target, 8080))

    assert seen["result"] != "reached"
    assert path.ending.verdict is Verdict.UNKNOWN
    assert path.ending.reason == "ovs dp0: the flows of Open vSwitch decide, which are not modelled"
