"""Yes, no, or it cannot be said: the logic of what is only partly known.

A namespace whose labels may not be read matches neither surely nor surely not; what follows from it is decided
where both answers lead to the same end, and is unknown where they do not.
"""

from collections.abc import Iterable
from dataclasses import dataclass

Certainty = bool | None
"""True, False, or None: it cannot be said."""


def every(parts: Iterable[Certainty]) -> Certainty:
    """Whether all hold: one sure no is enough for a no."""
    found: Certainty = True
    for part in parts:
        if part is False:
            return False
        if part is None:
            found = None
    return found


def some(parts: Iterable[Certainty]) -> Certainty:
    """Whether one holds: one sure yes is enough for a yes."""
    found: Certainty = False
    for part in parts:
        if part is True:
            return True
        if part is None:
            found = None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Whether one part of a rule matches."""

    holds: Certainty
    text: str = ""
    """What it is that matched, or why it does not: `podSelector app=web does not match shop/client`."""


def first_yes(parts: Iterable[Match], none: Match) -> Match:
    """The part that matches; else the first that might, else all that do not, told together."""
    listed = list(parts)
    for wanted in (True, None):
        found = next((part for part in listed if part.holds is wanted), None)
        if found is not None:
            return found
    return Match(holds=False, text="; ".join(dict.fromkeys(part.text for part in listed))) if listed else none
