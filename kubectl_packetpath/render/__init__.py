"""An answer in words, pictures or data; one file per format."""

from collections.abc import Callable, Iterator

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.http.story import Stories
from kubectl_packetpath.render.machine import as_json, as_yaml
from kubectl_packetpath.render.mermaid import mermaid
from kubectl_packetpath.render.story import story_tree, story_wide
from kubectl_packetpath.render.story_machine import story_json, story_yaml
from kubectl_packetpath.render.story_mermaid import story_mermaid
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

StoryFormat = Callable[[Stories, Style], Iterator[str]]

STORY_FORMATS: dict[str, StoryFormat] = {
    "json": story_json,
    "mermaid": story_mermaid,
    "tree": story_tree,
    "wide": story_wide,
    "yaml": story_yaml,
}

__all__ = ["FORMATS", "STORY_FORMATS", "Format", "StoryFormat", "Style"]
