"""`kubectl packetpath agent install|status|remove`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import Exit, ask_user, fail, is_terminal, say, trouble_told

app = typer.Typer(
    help="Install, look at or remove the agent on the nodes.", no_args_is_help=True, rich_markup_mode=None
)

Wait = Annotated[str, typer.Option("--timeout", metavar="TIME", help="Longest wait for the agents.")]


@app.command("install", short_help="Install the agent on every node, or bring it up to date.")
def install(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    image: options.Image = "",
    timeout: Wait = "180s",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    as_user: options.AsUser = "",
    as_groups: options.AsGroups = None,
    request_timeout: options.RequestTimeout = "20s",
    namespace: options.Namespace = "",
) -> None:
    """Install the agent on every node, or bring it up to date, and wait until all are ready."""
    with trouble_told():
        from kubectl_packetpath.cli.install import Permission, may_install  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.sources import installation  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.sources.api import Api  # noqa: PLC0415 - keeps `--help` quick

        access = options.access_of(kubeconfig, context, namespace, request_timeout, as_user, as_groups)
        api = Api.connect(access)
        may_install(api, Permission(yes=yes), "Nothing is installed yet.")
        status = installation.install(api, image, options.seconds_of(timeout), say)
    print(f"The agent {status.image} is ready on {len(status.pods)} nodes.")


@app.command("status")
def status(
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    as_user: options.AsUser = "",
    as_groups: options.AsGroups = None,
    request_timeout: options.RequestTimeout = "20s",
    namespace: options.Namespace = "",
) -> None:
    """On which nodes the agent answers; exit code 4 unless on all."""
    with trouble_told():
        from kubectl_packetpath.sources import installation  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.sources.api import Api  # noqa: PLC0415 - keeps `--help` quick

        access = options.access_of(kubeconfig, context, namespace, request_timeout, as_user, as_groups)
        api = Api.connect(access)
        found = installation.status_of(api)
        nodes = installation.nodes_wanted(api) if found.installed else ()
    if not found.installed:
        fail("The agent is not installed.", "kubectl packetpath agent install", Exit.OUT_OF_REACH)
    from kubectl_packetpath.cli.agent_table import table  # noqa: PLC0415 - keeps `--help` quick

    for line in table(found, nodes, datetime.now(UTC)):
        print(line)
    ready = {pod.node for pod in found.pods if pod.ready}
    if not found.ready or not ready.issuperset(nodes):
        say(f"{len(ready)} of {max(found.wanted, len(nodes))} agents are ready; {found.image} is installed")
        raise typer.Exit(Exit.OUT_OF_REACH)


@app.command("remove")
def remove(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="Longest wait until all is gone.")
    ] = "120s",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    as_user: options.AsUser = "",
    as_groups: options.AsGroups = None,
    request_timeout: options.RequestTimeout = "20s",
    namespace: options.Namespace = "",
) -> None:
    """Remove the agent and its namespace from the cluster."""
    with trouble_told():
        from kubectl_packetpath.sources import installation  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.sources.api import Api  # noqa: PLC0415 - keeps `--help` quick

        access = options.access_of(kubeconfig, context, namespace, request_timeout, as_user, as_groups)
        api = Api.connect(access)
        if not yes:
            command = "kubectl packetpath agent remove --yes"
            if not is_terminal():
                fail("Removing the agent needs your word.", command, Exit.OUT_OF_REACH)
            if not ask_user(f"Delete the namespace {installation.NAMESPACE} of {api.context}?"):
                fail("Nothing was changed.", command, Exit.OUT_OF_REACH)
        was_there = installation.remove(api, options.seconds_of(timeout), say)
    print("The agent is removed." if was_there else "The agent was not installed.")
