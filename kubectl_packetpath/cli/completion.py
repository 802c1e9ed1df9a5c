"""Completion by kubectl: after `kubectl packetpath`, Tab offers commands, targets, options and their values.

kubectl (1.26 and newer) calls a program `kubectl_complete-packetpath` with the words so far, the last of them unfinished, and
reads one candidate per line and a number that says what the shell is to do. Names come from kubectl itself, or from the
recording after `--bundle`; where neither answers in time, nothing is offered and nothing is said.
Kubernetes: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/#distributing-kubectl-plugins
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer.main

from kubectl_packetpath.cli.app import DEFAULT, VALUED, app, first_word
from kubectl_packetpath.cli.options import Output, Protocol

FILES, NO_FILES, KEEP_OPEN = 0, 4, 6
"""What the shell does: offer files; no files; no files, and no space after a candidate."""
NAMED = {"svc": "services", "pod": "pods", "node": "nodes", "ingress": "ingresses", "gateway": "gateways"}
NAMED |= {"httproute": "httproutes"}
STARTS = ("pod/", "node/", "outside")
FILE_OPTIONS = {"--bundle", "--kubeconfig"}
CHOICES = {"-o": Output, "--output": Output, "--protocol": Protocol}
CLUSTER_OPTIONS = {"--context", "--kubeconfig", "-n", "--namespace", "--as"}
"""What kubectl has to hear too when it is asked for names."""
MOST_SECONDS = 4.0


def offered(words: Sequence[str]) -> tuple[list[str], int]:
    """Candidates for the last word, and what the shell is to do with them."""
    *before, current = words or [""]
    if before and before[-1] in VALUED:
        return _values(before[-1], before[:-1], current)
    place = first_word(before)
    group: Any = typer.main.get_command(app)
    command = group.commands.get(before[place] if place is not None else "", group.commands[DEFAULT])
    inner = getattr(command, "commands", None)
    words_after = [each for each in before[(place or 0) + 1 :] if inner and each in inner]
    if inner and words_after:
        command, inner = inner[words_after[0]], None
    if current.startswith("-"):
        return _starting(current, (name for option in command.params for name in option.opts)), NO_FILES
    if inner:
        return _starting(current, inner), NO_FILES
    if place is None and "/" not in current:
        kinds = _starting(current, (f"{kind}/" for kind in NAMED))
        return [*_starting(current, group.commands), *kinds], KEEP_OPEN if kinds else NO_FILES
    if place is None:
        return _names(current, before), NO_FILES
    if before[place] == "explain":
        from kubectl_packetpath.findings import CHECKS  # noqa: PLC0415 - only this command needs it

        return _starting(current, (name for each in CHECKS for name in (each.code, each.id))), NO_FILES
    return [], FILES if words_after and before[place] == "snapshot" else NO_FILES


def _values(option: str, before: Sequence[str], current: str) -> tuple[list[str], int]:
    """What an option may be."""
    if option in FILE_OPTIONS:
        return [], FILES
    if option in CHOICES:
        return _starting(current, (each.value for each in CHOICES[option])), NO_FILES
    if option == "--from":
        return (
            (_names(current, before), NO_FILES) if "/" in current else (_starting(current, STARTS), KEEP_OPEN)
        )
    if option == "--context":
        return _starting(current, _kubectl("config", "get-contexts", "-o", "name")), NO_FILES
    kinds = {"-n": "namespaces", "--namespace": "namespaces", "--node": "nodes"}
    if option in kinds and "--bundle" not in before:
        asked = _kubectl("get", kinds[option], "-o", "name", *_passed_on(before))
        return _starting(current, (name.rpartition("/")[2] for name in asked)), NO_FILES
    return [], NO_FILES


def _names(current: str, before: Sequence[str]) -> list[str]:
    """`svc/` with the names that there are in the namespace."""
    kind, _, _ = current.partition("/")
    if kind not in NAMED:
        return []
    options = dict(pairwise(before))
    if "--bundle" in options:
        names: Iterable[str] = _recorded(options, kind)
    else:
        asked = _kubectl("get", NAMED[kind], "-o", "name", *_passed_on(before))
        names = (name.rpartition("/")[2] for name in asked)
    return _starting(current, (f"{kind}/{name}" for name in names))


def _recorded(options: dict[str, str], kind: str) -> list[str]:
    from kubectl_packetpath.sources.bundle import Bundle  # noqa: PLC0415 - only a recording needs it
    from kubectl_packetpath.sources.trouble import TroubleError  # noqa: PLC0415 - only a recording needs it

    try:
        cluster = Bundle(Path(options["--bundle"])).cluster
    except TroubleError:
        return []
    home = options.get("-n") or options.get("--namespace") or cluster.namespace
    if kind == "node":
        return [each.name for each in cluster.nodes]
    if kind == "pod":
        return [each.name for each in cluster.pods if each.namespace == home]
    return [each.name for each in cluster.services if each.namespace == home and kind == "svc"]


def _passed_on(before: Sequence[str]) -> list[str]:
    return [word for name, value in pairwise(before) if name in CLUSTER_OPTIONS for word in (name, value)]


def _kubectl(*words: str) -> list[str]:
    try:
        done = subprocess.run(  # noqa: S603 - words of a completion, no shell
            ["kubectl", *words, "--request-timeout=3s"],  # noqa: S607 - the one that called us
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=MOST_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []


def _starting(current: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(current)]


def main() -> None:
    """What kubectl reads."""
    candidates, directive = offered(sys.argv[1:])
    print("\n".join([*candidates, f":{directive}"]))
