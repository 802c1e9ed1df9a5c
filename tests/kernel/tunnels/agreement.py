"""The packet comes in exactly where its trace says, and looks as it says."""

from kernel.tunnels.capture import capturing, comparable, told
from kernel.tunnels.nodes import PODS, PORT, Nodes, places

from kubectl_packetpath.trace import Path, Verdict


def assert_agrees(
    made: Nodes, protocol: str = "udp", target: str = PODS["b"], *, tunnel: str = "flannel.1"
) -> Path:
    """The packet comes in exactly where the trace says, as it says; its path."""
    path = made.path(target, protocol)
    listened = places(tunnel)
    expected = told(path, *listened)

    with capturing(made.lab, *listened) as capture:
        result = made.lab.reach("pod-a", target, PORT, protocol, sport=40000)["result"]
        seen = capture.came_in(PORT, len(expected))
    real = comparable(seen, expected)
    assert real == expected, "\n".join(("seen:", *map(str, real), "told:", *map(str, expected)))
    answered = path.reply is not None and path.reply.ending.verdict is Verdict.DELIVERED
    assert (result == "reached") == answered
    return path
