"""Label selectors against labels."""

import pytest

from kubectl_packetpath.cluster.policy.read import selector_of
from kubectl_packetpath.cluster.policy.selectors import Labels

LABELS = Labels(pairs={"app": "web", "empty": ""})


@pytest.mark.parametrize(
    ("given", "words", "holds"),
    [
        ({}, "{}", True),
        ({"matchLabels": {"app": "web"}}, "app=web", True),
        ({"matchLabels": {"app": "db"}}, "app=db", False),
        ({"matchLabels": {"empty": ""}}, "empty=", True),
        ({"matchLabels": {"missing": ""}}, "missing=", False),
        (
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "web"]}]},
            "app in (a,web)",
            True,
        ),
        (
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
            "app notin (web)",
            False,
        ),
        ({"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["web"]}]}, "x notin (web)", True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "app", True),
        ({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}, "!x", True),
        (
            {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
            "app=web,!app",
            False,
        ),
    ],
)
def test_a_selector_asks_for_labels(given: dict[str, object], words: str, *, holds: bool) -> None:
    """All that it asks for has to hold, and it reads as kubectl writes it."""
    selector = selector_of(given)

    assert (str(selector), selector.holds(LABELS)) == (words, holds)


def test_labels_that_are_partly_known_decide_what_they_can() -> None:
    """What is there is sure; what is missing may be there after all."""
    labels = Labels(pairs={"app": "web"}, complete=False)

    assert selector_of({"matchLabels": {"app": "web"}}).holds(labels) is True
    assert selector_of({"matchLabels": {"app": "db", "x": "y"}}).holds(labels) is False
    assert selector_of({"matchLabels": {"x": "y"}}).holds(labels) is None
