"""A request and its connections for people and programs."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import cluster, healthy

from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.plan import Plan, plans
from kubectl_packetpath.cluster.http.story import Stories, Story, Told
from kubectl_packetpath.cluster.http.tls.model import Certificate
from kubectl_packetpath.cluster.http.tls.serving import Shown
from kubectl_packetpath.cluster.http.web_objects import web_of
from kubectl_packetpath.render import STORY_FORMATS, Style


def plan(controller: str = "projectcontour.io/contour", paths: int = 1, host: str = "x.test") -> Plan:
    """A request for x.test at a controller with so many rules."""
    rules: list[dict[str, Any]] = [
        {
            "path": f"/{n or ''}",
            "pathType": "Prefix",
            "backend": {"service": {"name": "web", "port": {"number": 80}}},
        }
        for n in range(paths)
    ]
    given: dict[str, list[dict[str, Any]]] = {
        "ingresses": [
            {
                "metadata": {"namespace": "default", "name": "i"},
                "spec": {"ingressClassName": "c", "rules": [{"host": host, "http": {"paths": rules}}]},
            }
        ],
        "ingressclasses": [{"metadata": {"name": "c"}, "spec": {"controller": controller}}],
    }
    (found,) = plans(HttpWish(url="http://x.test/"), replace(cluster(), web=web_of(given)))
    return found


def story(found: Plan, **changes: Any) -> Stories:
    """With a healthy connection."""
    told = (Told(title="from the client to the proxy", answer=healthy()),)
    return Stories(target="x", stories=(Story(title="GET http://x.test/", plan=found, told=told, **changes),))


def text(found: Stories, form: str = "tree", columns: int = 100) -> str:
    """As it is printed."""
    return "\n".join(STORY_FORMATS[form](found, Style(columns=columns)))


def test_the_decision_stands_before_the_connection() -> None:
    """First who takes it, then how it gets there."""
    said = text(story(plan()))

    assert said.index("rule      Ingress default/i rules[0].paths[0]") < said.index("1. from the client")
    assert said.startswith("✔ GET http://x.test/  arrives")


def test_many_rules_are_told_in_brief() -> None:
    """All of them with -o wide."""
    many = story(plan(paths=20))

    assert "13 more rules: -o wide" in text(many)
    assert "more rules" not in text(many, "wide")


def test_a_doubt_makes_it_uncertain() -> None:
    """The exit code is that of UNKNOWN."""
    found = story(plan("example.com/own"))

    assert found.family == "unknown"
    assert "unsure    how example.com/own reaches its backends is not known here" in text(found)


def test_a_bad_certificate_is_a_loss() -> None:
    """Though every packet arrives."""
    bad = Certificate(
        subject="CN=y",
        issuer="CN=ca",
        names=("y.test",),
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2027, 1, 1, tzinfo=UTC),
    )
    secret = Reference(kind="Secret", namespace="default", name="s")
    shown = Shown(source="i", secret=secret, chain=(bad,), problems=("the certificate is for y.test",))

    found = story(plan(), shown=shown)

    assert found.family == "lost"
    assert "TLS       Secret default/s: for y.test, until 2027-01-01, issued by CN=ca" in text(found)


@pytest.mark.parametrize("form", STORY_FORMATS)
def test_names_cannot_lead_a_terminal_astray(form: str) -> None:
    """A recording's objects are whatever somebody wrote."""
    found = story(plan(host="x.test"), notes=("\x1b]0;title\x07\u202e",))

    said = text(found, form)

    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_lines_fit_the_terminal(columns: int) -> None:
    """Whatever its width."""
    assert max(len(line) for line in text(story(plan(paths=9)), columns=columns).splitlines()) <= columns


def test_boxes_of_the_chart_have_names_of_their_own() -> None:
    """Two requests in one chart do not share them."""
    one = story(plan())
    both = replace(one, stories=(*one.stories, *one.stories))

    said = text(both, "mermaid")

    assert 's0c0n0["' in said
    assert 's1c0n0["' in said
    assert said.count("classDef arrived") == 1
