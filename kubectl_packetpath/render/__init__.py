"""An answer in words, pictures or data; one file per format."""

from collections.abc import Callable, Iterator

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.render.machine import as_json, as_yaml
from kubectl_packetpath.render.mermaid import mermaid
from kubectl_packetpath.render.style import Style
from kubectl_packetpath.render.tree import tree, wide

Format = Callable[[Answer, Style], Iterator[str]]

FORMATS: dict[str, Format] = {
    "json": as_json,
    "mermaid": mermaid,
    "tree": tree,
    "wide": wide,
    "yaml": as_yaml,
}

__all__ = ["FORMATS", "Format", "Style"]
