"""Progress while nodes are read."""

import time

import pytest

from kubectl_packetpath.cli.progress import Progress


def test_a_terminal_has_one_line_that_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of it is left when all have answered."""
    progress = Progress(terminal=True)

    progress(0, 3)
    progress(2, 3)
    progress(3, 3)

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.split("\r\x1b[K") == ["", "reading 3 nodes… 0/3", "reading 3 nodes… 2/3", ""]


def test_a_script_hears_nothing_while_it_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    """Logs stay short."""
    progress = Progress(terminal=False)

    progress(0, 3)
    progress(3, 3)

    assert capsys.readouterr().err == ""


def test_a_script_hears_of_slow_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Once a second at most."""
    progress = Progress(terminal=False, began=time.monotonic() - 5)

    progress(1, 3)
    progress(2, 3)

    assert capsys.readouterr().err == "reading 3 nodes… 1/3\n"
