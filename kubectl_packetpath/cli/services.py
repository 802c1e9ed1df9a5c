"""`kubectl packetpath services`: every Service of a namespace at a glance."""

from enum import StrEnum
from typing import Annotated

import typer

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import trouble_told

HELP = """Every Service of a namespace in one line: how many of its ways in arrive, and what is wrong with the others.
(`kubectl packetpath svc` means the same.) Exit code 0: all arrive; 1: some lose packets; 3: some are unknown;
4: cluster or agents out of reach."""


class Form(StrEnum):
    """Forms of an overview."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def services(
    everywhere: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Those of all namespaces.")
    ] = False,
    node: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="NAME", help="Enter by this node only; may be repeated."),
    ] = None,
    output: Annotated[Form, typer.Option("--output", "-o", help="Form of the answer.")] = Form.TABLE,
    bundle: options.BundleFile = None,
    yes: options.Yes = False,
    image: options.Image = "",
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    as_user: options.AsUser = "",
    as_groups: options.AsGroups = None,
    request_timeout: options.RequestTimeout = "20s",
) -> None:
    """Every Service of a namespace at a glance."""
    with trouble_told():
        from kubectl_packetpath.cli import overview  # noqa: PLC0415 - keeps `--help` quick

        wish = overview.Wanted(everywhere=everywhere, nodes=tuple(node or ()), form=output.value)
        if bundle is not None:
            code = overview.recorded(bundle, namespace, wish)
        else:
            access = options.access_of(kubeconfig, context, namespace, request_timeout, as_user, as_groups)
            code = overview.live(access, wish, yes=yes, image=image)
    raise typer.Exit(code)
