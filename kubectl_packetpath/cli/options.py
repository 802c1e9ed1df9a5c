"""Options that several commands share, in kubectl's manner."""

import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kubectl_packetpath.render.style import Style
    from kubectl_packetpath.sources.api import Access

CLUSTER = "Cluster"
"""Heading of the options that choose the cluster."""


class Output(StrEnum):
    """Forms of an answer."""

    TREE = "tree"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    MERMAID = "mermaid"


class Protocol(StrEnum):
    """Transport protocols that can be asked about."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


Namespace = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace of names without one.")
]
Context = Annotated[str, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig.")]
Kubeconfig = Annotated[str, typer.Option("--kubeconfig", metavar="FILE", help="Path of the kubeconfig.")]
AsUser = Annotated[str, typer.Option("--as", metavar="USER", help="Impersonate this user.")]
AsGroups = Annotated[
    list[str] | None,
    typer.Option("--as-group", metavar="GROUP", help="Impersonate this group; may be repeated."),
]
RequestTimeout = Annotated[
    str, typer.Option("--request-timeout", metavar="TIME", help="Longest wait for one answer, such as 20s.")
]
BundleFile = Annotated[
    Path | None,
    typer.Option("--bundle", metavar="FILE", help="Ask a recording (or one node's snapshot), not a cluster."),
]
OutputFormat = Annotated[Output, typer.Option("--output", "-o", help="Form of the answer.")]
Yes = Annotated[bool, typer.Option("--yes", help="Install the agent without asking, where it is missing.")]
Image = Annotated[
    str,
    typer.Option(
        "--image",
        metavar="IMAGE",
        envvar="PACKETPATH_IMAGE",
        help="Image of the agent, where it is installed.",
    ),
]


def access_of(
    kubeconfig: str,
    context: str,
    namespace: str,
    request_timeout: str,
    as_user: str,
    as_groups: list[str] | None,
) -> "Access":
    """Which cluster, and as whom."""
    from kubectl_packetpath.sources.api import Access  # noqa: PLC0415 - keeps `--help` quick

    return Access(
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        timeout_seconds=seconds_of(request_timeout),
        as_user=as_user,
        as_groups=tuple(as_groups or ()),
    )


def seconds_of(text: str) -> float:
    """`20`, `20s`, `2m` or `500ms` in seconds."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)):
        number = text.removesuffix(unit) if unit else text
        if text.endswith(unit) and number.replace(".", "", 1).isdigit():
            return float(number) * factor or 20.0
    raise typer.BadParameter(f"{text} is not a time such as 20s or 500ms")


def style() -> "Style":
    """Colour on a terminal only, and never where NO_COLOR asks for none."""
    from kubectl_packetpath.render.style import Style  # noqa: PLC0415 - keeps `--help` quick

    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    colour = terminal and not os.environ.get("NO_COLOR")
    return Style(colour=colour, columns=shutil.get_terminal_size((80, 24)).columns)
