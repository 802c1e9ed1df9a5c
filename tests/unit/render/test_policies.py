"""Policies in an answer."""

import json
from pathlib import Path

import pytest
from builders import delivered, questions
from jsonschema import Draft202012Validator
from unit.cluster.policy.guarded import CLOSED, OPEN, answer, enforced_by, guarded

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.render import FORMATS, Style
from kubectl_packetpath.render.machine import document

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "packetpath.schema.json").read_text())


def given(spec: str, image: str = "") -> Answer:
    """One way with one path, which arrives."""
    world = guarded(spec)
    return answer(world, enforced_by(image), delivered(questions(world)[0], 2))


def told(spec: str, image: str = "", form: str = "tree") -> list[str]:
    """The lines from the policy's on, without indentation and line breaks."""
    lines = [line.strip() for line in FORMATS[form](given(spec, image), Style(columns=140))]
    start = next((number for number, line in enumerate(lines) if line.startswith("policy:")), len(lines))
    return lines[start:]


def test_an_allowing_rule_is_named() -> None:
    """In one short line."""
    assert told(OPEN) == ["policy: allowed by default/it rule 1"]


def test_a_denial_that_nobody_enforces_is_a_finding() -> None:
    """With what to try."""
    assert " ".join(told(CLOSED)) == (
        "policy: denied: no rule of default/it admits 8080/TCP from pod default/client-1; nothing here enforces it "
        "(flannel does not) ! PP501 Policies deny this connection, and nothing here enforces them. "
        "try       kubectl get daemonsets -A"
    )


def test_an_enforcer_that_is_not_seen_is_named_with_its_place() -> None:
    """And the way is not known to arrive."""
    assert " ".join(told(OPEN, "cilium/cilium:v1")) == (
        "policy: allowed by default/it rule 1; enforced unseen by Cilium (BPF programs at the pods' devices)"
    )
    assert next(iter(FORMATS["tree"](given(OPEN, "cilium/cilium:v1"), Style()))).endswith("UNKNOWN")


def test_nothing_is_said_where_no_policy_selects_either_end() -> None:
    """Most clusters have few policies, and silence is short."""
    assert told("{podSelector: {matchLabels: {app: other}}}") == []


def test_the_wide_tree_says_why_each_rule_does_not_match() -> None:
    """The reader sees which one would have to."""
    lines = told("{podSelector: {}, ingress: [{ports: [{port: 443}]}]}", form="wide")

    assert "default/it rule 1 does not match: port 443/TCP is not 8080/TCP" in lines


@pytest.mark.parametrize("image", ["", "calico/node:v3", "cilium/cilium:v1"])
@pytest.mark.parametrize("spec", [OPEN, CLOSED])
def test_the_json_fits_its_schema(spec: str, image: str) -> None:
    """Both ends, every rule, the enforcers and the findings."""
    errors = Draft202012Validator(SCHEMA).iter_errors(document(given(spec, image)))

    assert [error.message for error in errors] == []


def test_the_json_tells_both_ends() -> None:
    """The source's egress first."""
    path = document(given(OPEN))["paths"][0]

    assert [(each["direction"], each["says"]) for each in path["policies"]] == [
        ("egress", "allowed"),
        ("ingress", "allowed"),
    ]
    assert path["policies"][1]["by"] == {
        "kind": "NetworkPolicy",
        "namespace": "default",
        "name": "it",
        "rule": 1,
    }


def test_the_json_names_the_place_that_is_not_seen() -> None:
    """Among all that is not known."""
    document_ = document(given(CLOSED, "cilium/cilium:v1"))

    assert document_["verdict"] == "UNKNOWN"
    assert document_["unknown"] == [
        "policies deny it, and Cilium enforces them by BPF programs at the pods' devices, where the walk does not see"
    ]
