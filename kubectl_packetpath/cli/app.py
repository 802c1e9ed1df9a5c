"""The command line: `kubectl packetpath TARGET`, and a few commands beside it.

Commands import what they need when they run, so that `--help` answers at once.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any

import typer
import typer.core

from kubectl_packetpath.cli import agent, explain, packet, path, services, snapshot, version
from kubectl_packetpath.cli.exits import Exit, say

DEFAULT = "path"
GRACE_SECONDS = 0.5
"""From Ctrl-C to the end, at most."""
VALUED = {
    "-n",
    "--namespace",
    "--context",
    "--kubeconfig",
    "--as",
    "--as-group",
    "--request-timeout",
    "--bundle",
    "-o",
    "--output",
    "--from",
    "--node",
    "--protocol",
    "--size",
    "--host",
    "--path",
    "--method",
    "--header",
    "-H",
    "--image",
}
"""Options that take a value, which may stand before the command as they may with kubectl."""
SERVICES = {"svc", "service", "services"}
"""Without a name: all of the namespace, as with `kubectl get svc`."""


class TargetOrCommand(typer.core.TyperGroup):
    """A group whose first word is one of its commands, or else a target."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command where the user left it out."""
        args = in_other_words(args)
        place = first_word(args)
        if place is None:
            if args and not {"--help", "-h"} & set(args):
                args = [DEFAULT, *args]
        elif args[place] in self.commands and args[place] != DEFAULT:
            command = args[place]
            inner = 1 + place
            if command in {"agent", "snapshot"} and len(args) > inner:
                args = [command, args[inner], *args[:place], *args[inner + 1 :]]
            else:
                args = [command, *args[:place], *args[inner:]]
        else:
            args = [DEFAULT, *args]
        return list(super().parse_args(ctx, args))


def in_other_words(args: list[str]) -> list[str]:
    """`--version`, `help COMMAND` and `svc NAME`, as kubectl and others take them."""
    if args[:1] == ["--version"]:
        return ["version", *args[1:]]
    place = first_word(args)
    if place is None:
        return args
    word, rest = args[place], args[place + 1 :]
    if word == "help":
        return [*rest, "--help"]
    if word in SERVICES and first_word(rest) is None and "--" not in rest:
        return ["services", *args[:place], *rest]
    if word.isalpha() and first_word(rest) == 0 and is_kind(word):
        return [*args[:place], f"{word}/{rest[0]}", *rest[1:]]
    return args


def is_kind(word: str) -> bool:
    """Whether a target may be of this kind: `svc web` means `svc/web`, as in `kubectl get svc web`."""
    from kubectl_packetpath.cluster import ask  # noqa: PLC0415 - keeps `--help` quick
    from kubectl_packetpath.cluster.http import asking  # noqa: PLC0415 - keeps `--help` quick

    return word in ask.KINDS or word in ask.WORKLOADS or word in asking.KINDS


def first_word(args: Sequence[str]) -> int | None:
    """Where the first argument stands that is neither an option nor the value of one."""
    skip = False
    for place, word in enumerate(args):
        if skip:
            skip = False
        elif word == "--":
            return None
        elif word.startswith("-"):
            skip = word in VALUED
        else:
            return place
    return None


HELP = """Show how a packet really reaches a Service, and where and why it does not.

kubectl packetpath TARGET [options]

TARGET is svc/my-app[:port], pod/x[:port], node/x:port, IP:port or [IPv6]:port; or, for HTTP requests, ingress/x,
gateway/x, httproute/x or https://host/path. `kubectl packetpath path --help` lists
the options, --from, -o, --bundle and all.

\b
kubectl packetpath svc/my-app -n shop                 every way in
kubectl packetpath svc/my-app --from pod/client       from one pod
kubectl packetpath svc/my-app -o wide                 every step, every rule
kubectl packetpath https://shop.example.com/cart      an HTTP request
kubectl packetpath svc/my-app --bundle FILE           of a recording
kubectl packetpath svc -n shop                        all Services at a glance
"""

app = typer.Typer(
    cls=TargetOrCommand,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(DEFAULT, help=path.HELP, short_help="The path of a Service, pod, node or request.")(path.path)
app.command("services", help=services.HELP, short_help="All Services of a namespace at a glance.")(
    services.services
)
app.command("packet", help=packet.HELP, short_help="One packet through one node.")(packet.packet)
app.command("explain", help=explain.HELP, short_help="What a finding such as PP106 means.")(explain.explain)
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(agent.app, name="agent")
app.command("version", help="Versions of this program and of what it writes.")(version.version)


def interrupted(_signal: int, _frame: object) -> None:
    """Ctrl-C: there is a moment to leave things tidy, but no request that hangs is waited for."""
    end = threading.Timer(GRACE_SECONDS, os._exit, (int(Exit.INTERRUPTED),))
    end.daemon = True
    end.start()
    raise KeyboardInterrupt


def run() -> None:
    """The command line as a program."""
    signal.signal(signal.SIGINT, interrupted)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without these letters shows others
    try:
        app(prog_name="kubectl packetpath")
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except Exception:  # noqa: BLE001 - Python would exit with 1, which here says that a packet is lost
        traceback.print_exc()
        say("error: This is a fault of the program: what was asked is not known.")
        sys.exit(Exit.UNKNOWN)
