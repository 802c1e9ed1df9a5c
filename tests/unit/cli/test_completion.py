"""What Tab offers after `kubectl packetpath`, to a user without a cluster."""

from pathlib import Path

import pytest

from kubectl_packetpath.cli.completion import FILES, KEEP_OPEN, NO_FILES, offered

DEMO = str(Path(__file__).parents[3] / "docs" / "demo.packetpath")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("s", (["services", "snapshot", "svc/"], KEEP_OPEN)),
        ("agent st", (["status"], NO_FILES)),
        ("svc/web -o m", (["mermaid"], NO_FILES)),
        ("svc/web --protocol s", (["sctp"], NO_FILES)),
        ("svc/web --from n", (["node/"], KEEP_OPEN)),
        ("packet --from", (["--from-host", "--from-pod"], NO_FILES)),
        ("agent install --ti", (["--timeout"], NO_FILES)),
        ("-n demo svc/web --mt", (["--mtu"], NO_FILES)),
        ("explain hair", (["hairpin-is-off"], NO_FILES)),
        ("svc/web --bundle d", ([], FILES)),
        ("snapshot save d", ([], FILES)),
        ("-n demo --bundle DEMO svc/", (["svc/broken", "svc/empty", "svc/web"], NO_FILES)),
        ("-n demo --bundle DEMO svc/web --from pod/c", (["pod/client"], NO_FILES)),
        ("--bundle DEMO node/", (["node/node1", "node/node2", "node/node3"], NO_FILES)),
        ("--bundle /nonexistent svc/", ([], NO_FILES)),
    ],
)
def test_completion(words: str, expected: tuple[list[str], int]) -> None:
    """Commands, targets, options, and values of options; names out of a recording."""
    assert offered(words.replace("DEMO", DEMO).split()) == expected


@pytest.mark.parametrize("words", [["svc/"], ["svc/web", "--from", "pod/"], ["svc/web", "-n", ""]])
def test_where_kubectl_says_nothing_nothing_is_offered(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that waits for Tab is no place for errors."""
    monkeypatch.setenv("PATH", "/nonexistent")

    assert offered(words) == ([], NO_FILES)
