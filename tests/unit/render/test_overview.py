"""The overview of several Services, in words and as data."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from builders import answered, broken, cluster, healthy, questions, unknown
from jsonschema import Draft202012Validator

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.model import Service
from kubectl_packetpath.cluster.overview import Row, worst
from kubectl_packetpath.render.overview import document, line_of, summary
from kubectl_packetpath.render.style import Style

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "packetpath.schema.json").read_text())
PLAIN = Style(columns=120)
WEB = Service(namespace="shop", name="web")


def of_unknown() -> Answer:
    """An answer that rests on an assumption."""
    world = cluster()
    question = questions(world)[0]
    return Answer(target="svc/web", ways=(answered(question, unknown(question)),), cluster=world)


ROWS = (
    Row(service=WEB, answer=healthy(), notes=("only for who asks about it",)),
    Row(service=replace(WEB, name="bad"), answer=broken()),
    Row(service=replace(WEB, name="fog"), answer=of_unknown()),
    Row(service=replace(WEB, name="ext"), notes=("It is an ExternalName.",)),
)


def test_rows_fit_the_schema() -> None:
    """Of each end, and of none."""
    told = document(ROWS, {"node9": "no agent runs there"})

    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(told)] == []
    assert [each["end"] for each in told["services"]] == ["arrived", "lost", "unknown", "none"]
    assert told["end"] == "lost"
    assert told["services"][3]["verdict"] is None


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (["arrived", "none"], "arrived"),
        (["arrived", "unknown"], "unknown"),
        (["unknown", "lost", "arrived"], "lost"),
        (["none"], "none"),
        ([], "none"),
    ],
)
def test_the_worst_counts(families: list[str], expected: str) -> None:
    """One that has no way in is neither good nor bad."""
    assert worst(families) == expected


def test_what_is_well_takes_one_line() -> None:
    """Notes are for who asks about that Service alone."""
    assert list(line_of(ROWS[0], 5, PLAIN, named_fully=False)) == [
        f"✔ web    {len(healthy().ways)} of {len(healthy().ways)} ways in arrive"
    ]


def test_what_is_unknown_names_its_place() -> None:
    """Never a bare question mark."""
    head, *reasons = line_of(ROWS[2], 3, PLAIN, named_fully=True)

    assert head == "? shop/fog  0 of 1 ways in arrive"
    assert reasons == [f"    {text}" for text in document(ROWS[2:3], {})["services"][0]["unknown"]]
    assert reasons


def test_one_without_a_way_in_says_why() -> None:
    """It is neither a success nor a failure."""
    assert list(line_of(ROWS[3], 3, PLAIN, named_fully=False)) == [
        "- ext  without a way in",
        "    It is an ExternalName.",
    ]


def test_the_summary_names_the_worst_first_and_what_to_ask() -> None:
    """The next command is the one about the first that is lost."""
    assert list(summary(ROWS, "of shop", PLAIN)) == [
        "",
        "4 Services of shop: 1 lose packets, 1 unknown, 1 arrive, 1 without a way in",
        "  try: kubectl packetpath svc/bad -n shop",
    ]


def test_names_cannot_lead_a_terminal_astray() -> None:
    """Whoever may create a Service chooses its name, as far as the API lets him."""
    evil = Row(service=Service(namespace="a", name="x\x1b[31m"), notes=("y\x1b[2J",))

    assert "\x1b" not in "".join([*line_of(evil, 9, PLAIN, named_fully=True), *summary([evil], "", PLAIN)])
