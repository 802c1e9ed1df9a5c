"""JSON and YAML, and the schema that documents them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import answered, broken, cluster, delivered, healthy, questions, unknown, without_route
from jsonschema import Draft202012Validator

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.clouds import Arrival, Balancer, Statement
from kubectl_packetpath.render import FORMATS, Style
from kubectl_packetpath.render.machine import document

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "packetpath.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def one(answer: Answer, number: int = 0) -> Answer:
    """The same answer with one way in."""
    return Answer(target=answer.target, ways=(answer.ways[number],), cluster=answer.cluster)


@pytest.mark.parametrize(
    "answer",
    [healthy(), broken(), one(broken()), Answer(target="svc/x", ways=(), notes=("an ExternalName",))],
)
def test_every_answer_fits_the_schema(answer: Answer) -> None:
    """One way in, several and none."""
    assert [error.message for error in VALIDATOR.iter_errors(document(answer))] == []


def test_the_schema_refuses_what_is_not_documented() -> None:
    """A new key cannot slip in without its documentation."""
    told = document(one(healthy())) | {"surprise": 1}

    assert not VALIDATOR.is_valid(told)


def test_an_unknown_share_is_null() -> None:
    """A weight that cannot be known is not a number."""
    world = cluster()
    question = questions(world)[0]
    answer = Answer(target="svc/web", ways=(answered(question, unknown(question)),), cluster=world)

    told: dict[str, Any] = document(answer)

    assert told["paths"][0]["weight"] is None
    assert told["verdict"] == "UNKNOWN"
    assert len(told["unknown"]) == 1


def test_an_arrival_below_an_assumption_is_not_certain() -> None:
    """The worst that can be said is that it is not known."""
    world = cluster()
    question = questions(world)[0]
    answer = Answer(
        target="svc/web", ways=(answered(question, delivered(question, 1, weight=None)),), cluster=world
    )

    assert document(answer)["verdict"] == "UNKNOWN"


def test_a_loss_with_weight_is_worse_than_the_unknown() -> None:
    """A part that is lost for certain decides."""
    world = cluster()
    question = questions(world)[0]
    paths = (without_route(question, 3), unknown(question))
    answer = Answer(target="svc/web", ways=(answered(question, *paths),), cluster=world)

    assert document(answer)["verdict"] == "NO_ROUTE"


def test_json_holds_nothing_that_a_terminal_would_obey() -> None:
    """All outside of ASCII is escaped."""
    text = "\n".join(FORMATS["json"](healthy(), Style()))

    assert text.isascii()
    assert json.loads(text) == document(healthy())


def test_yaml_says_the_same_as_json() -> None:
    """Two spellings of one document."""
    text = "\n".join(FORMATS["yaml"](broken(), Style()))

    assert yaml.safe_load(text) == document(broken())


def test_a_clouds_balancer_is_told_with_its_grounds() -> None:
    """What is certain, and what is assumed of the provider."""
    statement = Statement(topic="arrival", text="at the nodes", certain=False, by="its documentation")
    balancer = Balancer(provider="A cloud", arrival=Arrival.VIP, statements=(statement,))

    whole = document(replace(healthy(), balancer=balancer))
    told = whole["balancer"]

    assert list(VALIDATOR.iter_errors(whole)) == []
    assert (told["provider"], told["arrival"], told["certain"]) == ("A cloud", "vip", False)
    assert told["statements"] == [
        {"topic": "arrival", "text": "at the nodes", "certain": False, "by": "its documentation"}
    ]
