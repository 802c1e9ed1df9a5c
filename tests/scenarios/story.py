"""A story: a walk that documents about Kubernetes tell again and again, as a recorded cluster's own answer.

A story is one file in `stories/`: what is asked, and the steps of the walk in their order, each with what the printed
answer must show for it. The documents after the first are the objects that were applied before the cluster was recorded.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

FOLDER = Path(__file__).parent
STORIES, RECORDINGS = FOLDER / "stories", FOLDER / "recordings"
ANYTHING, FAR = "…", 300
"""Stands for anything, for so many characters at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the walk."""

    tells: str
    """As a document tells it."""
    shows: tuple[str, ...]
    """What the answer shows, in this order, wherever its lines break; `…` stands for anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A pod that answers on some ports, on a node."""

    namespace: str
    name: str
    node: str
    labels: tuple[tuple[str, str], ...]
    ports: tuple[int, ...] = (8080,)

    @classmethod
    def read(cls, given: dict[str, Any]) -> Self:
        """From a story's file."""
        rest = {key: value for key, value in given.items() if key not in {"labels", "ports"}}
        return cls(
            **rest,
            labels=tuple(given["labels"].items()),
            ports=tuple(given.get("ports", cls.__dataclass_fields__["ports"].default)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One question of a story, and what its answer tells."""

    ask: tuple[str, ...]
    exit: int
    steps: tuple[Step, ...]
    never: tuple[str, ...] = ()
    """What the answer must not show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One file."""

    name: str
    title: str
    recording: str
    walks: tuple[Walk, ...]
    servers: tuple[Server, ...]
    objects: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, file: Path) -> Self:
        """From its file."""
        head, *objects = [each for each in yaml.safe_load_all(file.read_text()) if each]
        return cls(
            name=file.stem,
            title=head["title"],
            recording=head["recording"],
            walks=tuple(_walk(each) for each in head["walks"]),
            servers=tuple(Server.read(each) for each in head.get("servers", ())),
            objects=tuple(objects),
        )

    @property
    def bundle(self) -> Path:
        """The recording that is asked."""
        return RECORDINGS / f"{self.recording}.packetpath"


def _walk(given: dict[str, Any]) -> Walk:
    steps = [pair for each in given["steps"] for pair in each.items()]
    return Walk(
        ask=tuple(given["ask"].split()),
        exit=given.get("exit", 0),
        steps=tuple(Step(tells=tells, shows=tuple(_listed(shows))) for tells, shows in steps),
        never=tuple(_listed(given.get("never", []))),
    )


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def stories() -> list[Story]:
    """All stories."""
    return [Story.read(file) for file in sorted(STORIES.glob("*.yaml"))]


def pattern(text: str) -> re.Pattern[str]:
    """What has to follow in the answer."""
    return re.compile(f".{{0,{FAR}}}?".join(re.escape(part) for part in text.split(ANYTHING)))


def missing(steps: Iterable[Step], answer: str) -> str:
    """The first step that does not follow in its place; empty where all do."""
    place = 0
    for step in steps:
        for text in step.shows:
            found = pattern(text).search(answer, place)
            if found is None:
                return f"{step.tells}: nothing shows {text!r} after {answer[max(0, place - 200) : place]!r}"
            place = found.end()
    return ""
