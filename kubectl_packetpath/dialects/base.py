"""What a program means by the kernel state that it made.

A dialect reads names and comments of rules, never the packet: it gives words, and decides nothing.
"""

from dataclasses import dataclass
from typing import Protocol

from kubectl_packetpath.trace import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a rule stands for."""

    program: str
    """Who made it: `kube-proxy`."""
    subject: str
    """What it is about: `default/web:http`."""
    absence: str = ""
    """Set where the rule is there because nobody could take the packet: `has no endpoints`."""
    text: str
    """What it does, to be read after the program's name: `picks an endpoint of default/web:http`."""


class Dialect(Protocol):
    """One program's way of writing rules."""

    def meaning(self, fact: Fact) -> Meaning | None:
        """What this rule stands for; None: it is not this program's."""
