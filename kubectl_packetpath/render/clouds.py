"""A cloud's load balancer: what the cluster says of it, and what is assumed of the provider, told apart."""

from collections.abc import Iterator
from typing import Any

from kubectl_packetpath.cluster.clouds.base import Balancer
from kubectl_packetpath.render.style import Style, clean, wrapped

Json = dict[str, Any]
LABELS = {
    "provider": "by",
    "arrival": "sends",
    "client": "client",
    "proxy_protocol": "header",
    "health": "health",
    "inside": "inside",
}
COLUMN = 8


def balancer_lines(found: Balancer, style: Style) -> Iterator[str]:
    """For people: each statement with its ground, and what is assumed in the look of what is not certain."""
    yield f"Load balancer: {style.strong(clean(found.provider))}"
    for each in found.statements:
        ground = clean(each.by)
        text = ground if each.topic == "provider" else f"{clean(each.text)} [{ground}]"
        text = text if each.certain else f"assumed: {text}"
        paint = str if each.certain else style.unsure
        label = LABELS.get(each.topic, each.topic)
        for number, line in enumerate(wrapped(text, style.width - COLUMN - 3)):
            begin = style.faint(f"{label:<{COLUMN}}") if number == 0 else " " * COLUMN
            yield f"  {begin} {paint(line)}"


def balancer_of(found: Balancer) -> Json:
    """For programs."""
    return {
        "provider": clean(found.provider),
        "arrival": found.arrival.value,
        "certain": found.arrives_for_certain,
        "ports": [clean(each) for each in found.ports],
        "statements": [
            {
                "topic": each.topic,
                "text": clean(each.text),
                "certain": each.certain,
                "by": clean(each.by),
            }
            for each in found.statements
        ],
    }
