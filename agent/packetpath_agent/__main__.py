"""The command `packetpath-agent`.

It reads the kernel of the node that it runs on, by hand as well as in the DaemonSet. What a command needs is
loaded when it runs: a recording needs no walk.
"""

import argparse
import errno
import gc
import signal
import sys
from ipaddress import ip_address
from pathlib import Path

from kubectl_packetpath import __version__
from kubectl_packetpath.packet import PROTOCOL_NUMBERS

REFUSALS = {errno.EPERM, errno.EACCES}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 with a sentence when the kernel cannot be read."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except BrokenPipeError:
        return 1
    except OSError as error:
        needs = "; it needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)" if error.errno in REFUSALS else ""
        print(f"packetpath-agent: {error}{needs}", file=sys.stderr)
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
    _add_packet(command)
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


def _add_packet(command: argparse.ArgumentParser) -> None:
    start = command.add_mutually_exclusive_group(required=True)
    start.add_argument("--in", dest="device", metavar="IFACE", help="it comes in by this device")
    start.add_argument("--from-host", action="store_true", help="a process of the node sends it")
    command.add_argument("--src", type=ip_address, help="its source (default: what the kernel would choose)")
    command.add_argument("--dst", type=ip_address, required=True)
    command.add_argument("--protocol", choices=sorted(PROTOCOL_NUMBERS), default="tcp")
    command.add_argument("--sport", type=int, default=40000)
    command.add_argument("--dport", type=int, required=True)


def _snapshot(given: argparse.Namespace) -> int:
    return _written(given)


def _ask(given: argparse.Namespace) -> int:
    return _written(given, asked=True)


def _written(given: argparse.Namespace, *, asked: bool = False) -> int:
    if given.output is None and sys.stdout.isatty():
        print(
            "packetpath-agent: a snapshot is not for terminals: use --output FILE or a pipe", file=sys.stderr
        )
        return 2
    from kubectl_packetpath.snapshot.codec import encode  # noqa: PLC0415 - see the top
    from packetpath_agent.live import LiveNode  # noqa: PLC0415 - see the top

    gc.disable()  # a whole ruleset is read, written and left: nothing would be found
    node = LiveNode(given.node, alone=given.this_namespace)
    try:
        if asked:
            from packetpath_agent import ask  # noqa: PLC0415 - see the top

            ask.walk(given, node)
        else:
            node.read_everything(packed=True)
        snapshot = node.snapshot(whole=not asked)
    finally:
        node.close()
    for trouble in snapshot.troubles:
        print(f"packetpath-agent: {trouble}", file=sys.stderr)
    data = encode(snapshot)
    if given.output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    try:
        given.output.write_bytes(data)
    except OSError as error:
        print(f"packetpath-agent: {given.output} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _serve(given: argparse.Namespace) -> int:
    from packetpath_agent.serve import serve  # noqa: PLC0415 - see the top

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
