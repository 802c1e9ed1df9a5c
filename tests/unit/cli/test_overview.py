"""All Services of a recording at a glance."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from kubectl_packetpath.cli.app import app
from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.cluster.overview import services_of
from kubectl_packetpath.snapshot import NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.codec import encode

ROOT = Path(__file__).parents[3]
DEMO = str(ROOT / "docs" / "demo.packetpath")
OVERLAY = str(ROOT / "tests" / "scenarios" / "recordings" / "overlay.packetpath")
ROUTED = str(ROOT / "tests" / "scenarios" / "recordings" / "routed.packetpath")


def said(words: str, file: str = DEMO) -> Result:
    """The program about a recording."""
    return CliRunner().invoke(app, [*words.split(), "--bundle", file])


@pytest.mark.parametrize("word", ["svc", "services", "service"])
def test_each_service_has_its_line(word: str) -> None:
    """What is wrong stands below; the exit code is that of the worst."""
    done = said(f"{word} -n demo")

    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "✘ broken  0 of 3 ways in arrive",
        "    PP106 Nothing listens on the port that the connection is sent to.",
        "✘ empty   0 of 3 ways in arrive",
        "    PP101 The Service's selector matches no pod.",
        "✔ web     6 of 6 ways in arrive",
        "",
        "3 Services of demo: 2 lose packets, 1 arrive",
        "  try: kubectl packetpath svc/broken -n demo",
    ]


def test_all_namespaces() -> None:
    """Names are told with theirs; where all is well there is nothing more to ask."""
    done = said("svc -A", ROUTED)

    assert done.exit_code == 0
    assert [line.split()[1] for line in done.stdout.splitlines()[:3]] == [
        "default/kubernetes",
        "nginx/nginx-demo-1",
        "nginx/nginx-demo-2",
    ]
    assert done.stdout.splitlines()[-1] == "3 Services of all namespaces: 3 arrive"


def test_only_by_one_node() -> None:
    """Each way in begins there."""
    (web,) = (each for each in _json("svc -n demo --node node2") if each["name"] == "web")

    assert web["ways"] == {"arrived": 2, "lost": 0, "unknown": 0}


def test_data_agree_with_the_single_answers() -> None:
    """What a Service is told alone, its row tells too."""
    for row in _json("svc -A"):
        done = said(f"svc/{row['name']} -n {row['namespace']} -o json")
        alone = json.loads(done.stdout)
        assert (row["verdict"], row["end"]) == (alone["verdict"], "lost" if done.exit_code else "arrived")
        codes = {each["code"] for way in alone["ways"] for each in way["findings"]}
        assert {each["code"] for each in row["findings"]} == codes


def _json(words: str) -> list[dict[str, Any]]:
    done = said(f"{words} -o json")
    told = json.loads(done.stdout)
    assert yaml.safe_load(said(f"{words} -o yaml").stdout) == told
    return list(told["services"])


def test_a_namespace_without_services() -> None:
    """With what to try next."""
    done = said("svc -n nothing")

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "error: Namespace nothing has no Services.\n  try: kubectl packetpath services -A\n"
    )


def test_the_snapshot_of_one_node_has_no_services(tmp_path: Path) -> None:
    """It holds no objects of the cluster."""
    host = NetworkNamespace(identity=1, is_host=True)
    file = tmp_path / "n1.bin"
    file.write_bytes(encode(Snapshot(node="n1", taken_at="2026-01-01T00:00:00Z", namespaces=(host,))))

    done = said("svc", str(file))

    assert (done.exit_code, done.stdout) == (2, "")
    assert "is the snapshot of one node" in done.stderr


def test_a_node_that_is_not_there_is_wrong_usage() -> None:
    """A smoke test with a mistyped node never passes."""
    done = said("svc -n demo --node node9")

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: There is no node node9.\n  try: nodes: node1")


def test_where_nothing_can_be_asked_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace of ExternalNames alone is no success."""
    monkeypatch.setattr("kubectl_packetpath.cli.overview.services_of", _external)

    done = said("svc -A", OVERLAY)

    assert done.exit_code == 3
    assert done.stdout.splitlines()[-1] == "2 Services of all namespaces: 2 without a way in"


def _external(cluster: Cluster, namespace: str) -> tuple[Service, ...]:
    return tuple(each for each in services_of(cluster, namespace) if each.type == "ExternalName")


def test_without_a_node_there_is_no_answer(tmp_path: Path) -> None:
    """Each node and why it could not be looked at, and where to look; never a verdict."""
    file = tmp_path / "blind.packetpath"
    with zipfile.ZipFile(DEMO) as whole, zipfile.ZipFile(file, "w") as blind:
        manifest = json.loads(whole.read("manifest.json"))
        manifest["nodes_missing"] = dict.fromkeys(("node1", "node2", "node3"), "no agent runs there")
        blind.writestr("manifest.json", json.dumps(manifest))
        blind.writestr("cluster.json", whole.read("cluster.json"))

    done = said("svc -n demo", str(file))

    assert done.exit_code == 4
    assert "✔" not in done.stdout
    assert done.stderr.splitlines() == [
        *(f"node{n} could not be looked at: no agent runs there" for n in (1, 2, 3)),
        "error: No node could be looked at.",
        "  try: kubectl packetpath agent status",
    ]
