"""What the proxies say that they have loaded, as lines: where it is not as promised, why, and what to run."""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.live.drift import Live, View
from kubectl_packetpath.findings import findings_of_proxy

Line = tuple[str, str, str]
"""Label, text, and how it is set: `bad`, `faint` or plain."""


def proxies(live: Live, *, wide: bool) -> Iterator[Line]:
    """All of it, each thing said once."""
    yield from _different(live, wide=wide)
    silent: dict[str, list[str]] = {}
    for view in live.views:
        if view.unseen or (view.undecided and wide):
            silent.setdefault(view.unseen or view.undecided, []).append(view.pod)
    for why, pods in silent.items():
        yield "proxy", f"{', '.join(pods)}: {why}", "faint"
    same = [view.pod for view in live.views if view.agrees]
    if same:
        yield "proxy", f"{', '.join(same)}: loaded as the objects say", ""
    for note in live.notes:
        yield "proxy", note, "faint"


def _different(live: Live, *, wide: bool) -> Iterator[Line]:
    told: dict[str, list[View]] = {}
    remedies: dict[str, None] = {}
    for view in live.views:
        for each in findings_of_proxy(view):
            told.setdefault(each.message, []).append(view)
            remedies.update(dict.fromkeys(each.remedy))
    for message, views in told.items():
        yield "proxy", f"{', '.join(view.pod for view in views)}: {message}", "bad"
    if wide:
        for view in live.views:
            for each in findings_of_proxy(view):
                for fact in each.evidence:
                    yield "", f"{view.pod} {fact.key}: {fact.text}", "faint"
    for text in remedies:
        yield "try", text, ""
