"""What proxies have loaded, for people and programs."""

import json
from typing import Any

import pytest
from unit.cluster.http.live.shop import loaded, world

from kubectl_packetpath.cluster.http.live.model import Loaded
from kubectl_packetpath.cluster.http.live.views import live_of
from kubectl_packetpath.cluster.http.story import Stories, Story
from kubectl_packetpath.render import STORY_FORMATS, Style


def text(said: Loaded | str, form: str = "tree") -> str:
    """As it is printed."""
    plan, cluster = world("/")
    story = Story(title="GET http://x.test/", plan=plan, live=live_of(plan, cluster, lambda _: said))
    return "\n".join(STORY_FORMATS[form](Stories(target="x", stories=(story,)), Style(columns=200)))


def views(said: Loaded | str) -> list[dict[str, Any]]:
    """What programs read."""
    found: list[dict[str, Any]] = json.loads(text(said, "json"))["requests"][0]["proxies"]
    return found


def test_agreement_is_one_line() -> None:
    """With the names of the pods."""
    assert "proxy     edge/envoy: loaded as the objects say" in text(loaded())


def test_a_difference_is_told_with_what_to_try() -> None:
    """Below it stands what to run, and with -o wide what proves it."""
    said = text(loaded(tables=()))

    assert "proxy     edge/envoy: its Envoy does not know Ingress default/i rules[0].paths[0]" in said
    assert "try       kubectl -n default describe ingress i" in said
    assert "try       kubectl -n edge get pods -l app=contour" in said
    assert "routes ingress_http: there is no route configuration" in text(loaded(tables=()), "wide")


def test_a_silent_proxy_is_told_with_the_reason() -> None:
    """And nothing else changes."""
    assert "edge/envoy: what it has loaded is not known: it may not be asked" in text("it may not be asked")


@pytest.mark.parametrize(
    ("said", "agrees", "read", "found"),
    [
        (loaded(), True, True, []),
        (loaded(tables=()), False, True, ["proxy-lacks-route"]),
        ("silent", None, False, []),
    ],
)
def test_programs_read_it_too(
    said: Loaded | str, *, agrees: bool | None, read: bool, found: list[str]
) -> None:
    """With the findings and their evidence."""
    (view,) = views(said)

    assert (view["pod"], view["agrees"], view["read"]) == ("edge/envoy", agrees, read)
    assert [each["id"] for each in view["findings"]] == found
    assert all(each["evidence"] for each in view["findings"])


@pytest.mark.parametrize("form", STORY_FORMATS)
def test_words_of_a_pod_cannot_lead_a_terminal_astray(form: str) -> None:
    """Whatever it says."""
    assert "\x1b" not in text("\x1b]0;title\x07", form)
