"""Text that a terminal may be given.

Interface names, socket addresses, rule comments and what an agent says are whatever somebody wrote: nothing of
them may reach a terminal as a control sequence.
"""

import re

CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # an ANSI sequence goes as a whole
    r"|[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def clean(text: str) -> str:
    """Without control characters, ANSI sequences and what turns the direction of writing."""
    return CONTROL.sub("", text)
