"""`agent status` as a table."""

from datetime import UTC, datetime

from kubectl_packetpath.cli.agent_table import table
from kubectl_packetpath.sources.installation import AgentPod, Status

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def test_each_node_has_a_line_with_what_to_do() -> None:
    """Ready, outdated, failing, and without an agent at all."""
    made = "2026-01-01T09:00:00Z"
    pods = (
        AgentPod(name="a-1", node="node1", ready=True, image="agent:2", created=made),
        AgentPod(name="a-2", node="node2", ready=False, image="agent:1", current=False, created=made),
        AgentPod(name="a-3", node="node3", ready=False, reason="ErrImagePull", image="agent:2"),
    )
    status = Status(installed=True, image="agent:2", wanted=3, pods=pods)

    lines = list(table(status, ("node1", "node2", "node3", "node4"), NOW))

    assert lines == [
        "NODE    STATE          IMAGE     AGE   WHAT TO DO",
        "node1   ready          agent:2   3h    -",
        "node2   old image      agent:1   3h    kubectl packetpath agent install",
        "node3   ErrImagePull   agent:2   -     kubectl -n packetpath-system describe pod a-3",
        (
            "node4   no agent       -         -     "
            "kubectl describe node node4; kubectl -n packetpath-system describe daemonset"
        ),
    ]


def test_a_pod_that_waits_for_a_node_is_shown() -> None:
    """It is why an agent is missing."""
    pods = (AgentPod(name="a-1", node="", ready=False, reason="Unschedulable", image="agent:2"),)

    lines = list(table(Status(installed=True, wanted=1, pods=pods), (), NOW))

    assert lines[1].startswith("(no node)   Unschedulable")
