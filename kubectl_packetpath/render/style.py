"""Colours and widths."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kubectl_packetpath.printable import clean

__all__ = ["SIGNS", "Style", "clean", "command_lines", "headline", "wrapped"]
NARROWEST, WIDEST = 60, 140
LEAST_TEXT = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How to write for this reader."""

    colour: bool = False
    columns: int = 80

    @property
    def width(self) -> int:
        """Columns to fill."""
        return max(NARROWEST, min(WIDEST, self.columns))

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    def good(self, text: str) -> str:
        """What arrives."""
        return self._paint("32", text)

    def bad(self, text: str) -> str:
        """What is lost."""
        return self._paint("1;31", text)

    def unsure(self, text: str) -> str:
        """What is not known."""
        return self._paint("33", text)

    def changed(self, text: str) -> str:
        """What is not as it was before."""
        return self._paint("1;36", text)

    def strong(self, text: str) -> str:
        """What a reader looks for first."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """What can be passed over."""
        return self._paint("2", text)

    def of(self, family: str, text: str) -> str:
        """By the family of a verdict."""
        return {"arrived": self.good, "lost": self.bad, "unknown": self.unsure}[family](text)


SIGNS = {"arrived": "✔", "lost": "✘", "unknown": "?"}
"""What stands before a verdict, so that colour is never needed to tell them apart."""


def headline(sign: str, parts: Iterable[tuple[str, Callable[[str], str]]], width: int) -> Iterator[str]:
    """A sign and what it is of, part beside part as they fit, so that the end of the line is seen on a narrow terminal."""
    line, taken = sign, 1
    for text, paint in parts:
        pieces = textwrap.wrap(text, max(width - 2, LEAST_TEXT), break_on_hyphens=False)
        for number, piece in enumerate(pieces):
            gap = 1 if taken == 1 else 2
            if taken > 1 and (number or taken + gap + len(piece) > width):
                yield line
                line, taken, gap = "", 0, 2
            line += " " * gap + paint(piece)
            taken += gap + len(piece)
    yield line


def wrapped(text: str, width: int, most_lines: int = 0) -> Iterator[str]:
    """A long text in lines of this width; past `most_lines` it is cut, and shows it."""
    lines = textwrap.wrap(text, max(width, LEAST_TEXT), break_on_hyphens=False) or [""]
    if most_lines and len(lines) > most_lines:
        kept = lines[:most_lines]
        kept[-1] = kept[-1][: max(width, LEAST_TEXT) - 2].rstrip() + " …"
        lines = kept
    yield from lines


def command_lines(text: str, width: int) -> Iterator[str]:
    """A command in lines of this width that a shell joins again; a long word is never broken."""
    lines = textwrap.wrap(
        text, max(width, LEAST_TEXT) - 2, break_on_hyphens=False, break_long_words=False
    ) or [""]
    yield from (f"{line} \\" for line in lines[:-1])
    yield lines[-1]
