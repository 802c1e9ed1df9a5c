"""One packet through one node of a recording."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kubectl_packetpath.cli.app import app
from kubectl_packetpath.snapshot import NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.codec import encode

DEMO = str(Path(__file__).parents[3] / "docs" / "demo.packetpath")


@pytest.fixture
def alone(tmp_path: Path) -> str:
    """The snapshot of one node without pods, as somebody takes it by hand."""
    host = NetworkNamespace(identity=1, is_host=True)
    file = tmp_path / "n1.bin"
    file.write_bytes(encode(Snapshot(node="n1", taken_at="2026-01-01T00:00:00Z", namespaces=(host,))))
    return str(file)


def test_a_node_without_pods_is_not_asked_for_one(alone: str) -> None:
    """There is no agent to look after: the file holds what it holds."""
    words = ["packet", "--bundle", alone, "--from-pod", "demo/x", "--dst", "10.0.0.1", "--dport", "80"]
    said = CliRunner().invoke(app, words)

    assert said.exit_code == 2
    assert said.stderr == "error: n1 has no pod demo/x.\n  try: --from-host: it has no pod at all\n"


def test_a_packet_without_ports_is_told_without_one() -> None:
    """An echo request goes to an address."""
    words = ["packet", "--node", "node1", "--from-host", "--dst", "10.244.1.4", "--protocol", "icmp"]
    said = CliRunner().invoke(app, [*words, "--bundle", DEMO])

    assert said.stdout.startswith("✔ Packet 10.244.1.4/icmp  SENT\n")
