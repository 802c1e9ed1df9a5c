"""Exit codes, and how trouble is told."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn

import typer

from kubectl_packetpath.printable import clean


class Exit(IntEnum):
    """What scripts can rely on; docs/cli.md lists them."""

    ARRIVES = 0
    LOST = 1
    USAGE = 2
    UNKNOWN = 3
    OUT_OF_REACH = 4
    INTERRUPTED = 130


FAMILY_EXITS = {"arrived": Exit.ARRIVES, "lost": Exit.LOST, "unknown": Exit.UNKNOWN}


def say(text: str) -> None:
    """Words for people go to standard error, and nothing of them that a terminal would obey."""
    print("\n".join(clean(line) for line in text.split("\n")), file=sys.stderr, flush=True)


def fail(message: str, remedy: str, code: int) -> NoReturn:
    """One sentence, what to try next, and the exit code."""
    say(f"error: {message}")
    if remedy:
        say(f"  try: {remedy}")
    raise typer.Exit(code)


@contextmanager
def trouble_told() -> Iterator[None]:
    """Turns what may go wrong into one sentence and its exit code."""
    from kubectl_packetpath.cluster.ask import AskError  # noqa: PLC0415 - keeps `--help` quick
    from kubectl_packetpath.sources.trouble import TroubleError  # noqa: PLC0415 - keeps `--help` quick

    try:
        yield
    except AskError as error:
        fail(str(error), error.remedy, Exit.USAGE)
    except TroubleError as error:
        fail(str(error), error.remedy, error.exit_code)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def write(lines: Iterator[str]) -> None:
    """Data goes to standard output; a reader who has seen enough may leave."""
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        _close_output()
    except OSError as error:
        _close_output()
        fail(f"The answer cannot be written: {error.strerror}.", "", Exit.UNKNOWN)


def _close_output() -> None:
    """Nothing more is said there, not even at the end of the program."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def ask_user(question: str) -> bool:
    """A question to a person at a terminal; the default is no."""
    print(f"{question} [y/N] ", file=sys.stderr, end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def is_terminal() -> bool:
    """Whether a person can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


Teller = Callable[[str], None]
