"""The command `packetpath-agent`.

It reads the kernel of the node that it runs on, by hand as well as in the DaemonSet.
"""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from kubectl_packetpath import __version__
from kubectl_packetpath.snapshot.codec import encode
from kubectl_packetpath.walk.request import Request
from packetpath_agent import ask
from packetpath_agent.live import LiveNode
from packetpath_agent.serve import answer, serve


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 with a sentence when the kernel cannot be read."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(f"packetpath-agent: {error}; it needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="packetpath-agent", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("snapshot", help="all network state of this node, as a file for --bundle")
    _add_reading(command)
    command.set_defaults(run=_snapshot)
    command = commands.add_parser("ask", help="only what the way of one packet through this node touches")
    _add_reading(command)
    ask.add_options(command)
    command.set_defaults(run=_ask)
    command = commands.add_parser("serve", help="answer a client on standard input and output")
    command.add_argument("--node")
    command.set_defaults(run=_serve)
    command = commands.add_parser("wait", help="do nothing until told to end: the container's main process")
    command.set_defaults(run=_wait)
    command = commands.add_parser("version", help="the agent's version")
    command.set_defaults(run=_version)
    return parser


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument("--node", help="the node's name (default: $NODE_NAME, or the host name)")
    command.add_argument("--output", type=Path, help="where to write it (default: standard output)")
    command.add_argument(
        "--this-namespace",
        action="store_true",
        help="only the network namespace of this process (default: all of the machine, this one as the host's)",
    )


def _snapshot(given: argparse.Namespace) -> int:
    return _written(given, lambda _: Request(what="snapshot"))


def _ask(given: argparse.Namespace) -> int:
    return _written(given, lambda node: ask.request(given, node))


def _written(given: argparse.Namespace, request: Callable[[LiveNode], Request]) -> int:
    if given.output is None and sys.stdout.isatty():
        print(
            "packetpath-agent: a snapshot is not for terminals: use --output FILE or a pipe", file=sys.stderr
        )
        return 2
    node = LiveNode(given.node, alone=given.this_namespace)
    try:
        snapshot = answer(node, request(node))
    finally:
        node.close()
    for trouble in snapshot.troubles:
        print(f"packetpath-agent: {trouble}", file=sys.stderr)
    data = encode(snapshot)
    if given.output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        given.output.write_bytes(data)
    return 0


def _serve(given: argparse.Namespace) -> int:
    serve(given.node, sys.stdin.buffer, sys.stdout.buffer)
    return 0


def _version(_given: argparse.Namespace) -> int:
    print(__version__)
    return 0


def _wait(_given: argparse.Namespace) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
