"""Walks that documents about Kubernetes tell, step by step, against what the program prints of recorded clusters."""

import pytest
from scenarios.story import Story, Walk, missing, stories
from typer.testing import CliRunner

from kubectl_packetpath.cli.app import app

WALKS = [
    pytest.param(story, walk, id=f"{story.name}-{number}")
    for story in stories()
    for number, walk in enumerate(story.walks, 1)
]


@pytest.mark.parametrize(("story", "walk"), WALKS)
def test_the_answer_tells_the_steps_of_the_walk(story: Story, walk: Walk) -> None:
    """All of them, in their order, with the exit code."""
    said = CliRunner().invoke(app, [*walk.ask, "--bundle", str(story.bundle)])

    text = " ".join(said.stdout.replace("│", " ").split())
    assert missing(walk.steps, text) == ""
    assert [each for each in walk.never if each in text] == []
    assert said.exit_code == walk.exit
