"""`--mtu`: how long packets may be, of a recorded cluster."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

DOCS = Path(__file__).parents[3] / "docs"
RECORDING = str(DOCS / "demo.packetpath")
SCHEMA = Draft202012Validator(json.loads((DOCS / "packetpath.schema.json").read_text()))


def told(*words: str) -> str:
    """What the program prints of the recording in the documentation."""
    command = [sys.executable, "-m", "kubectl_packetpath", *words, "-n", "demo", "--bundle", RECORDING]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def ways(*words: str) -> list[dict[str, Any]]:
    """The same for programs."""
    found = json.loads(told(*words, "-o", "json"))
    SCHEMA.validate(found)
    listed: list[dict[str, Any]] = found.get("ways", [found])
    return listed


def test_every_way_that_arrives_has_its_longest_packet() -> None:
    """With what becomes of one byte more."""
    found = ways("svc/web", "--mtu")

    assert {(way["mtu"]["packet_bytes"], way["mtu"]["payload_bytes"]) for way in found} == {(1500, 1460)}
    assert all(way["mtu"]["limit"].startswith("1501 bytes do not fit into the 1500 of ") for way in found)
    assert {way["mtu"]["pieces_from_bytes"] for way in found} == {None}


def test_a_way_that_is_lost_has_none() -> None:
    """Whatever the length."""
    found = ways("svc/broken", "--mtu")

    assert {"DELIVERED"}.isdisjoint(way["verdict"] for way in found)
    assert not any("mtu" in way for way in found)


def test_nobody_is_told_who_does_not_ask() -> None:
    """It takes a walk for each of many lengths."""
    assert not any("mtu" in way for way in ways("svc/web"))


@pytest.mark.parametrize("form", ["tree", "wide"])
def test_people_read_it_below_the_paths(form: str) -> None:
    """Once for each way."""
    text = " ".join(told("svc/web", "--from", "pod/client", "--mtu", "-o", form).split())

    assert text.count("longest packet: 1500 bytes (1460 of them payload); 1501 bytes do not fit") == 1
