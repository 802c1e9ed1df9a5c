"""`kubectl packetpath snapshot save FILE`, and `show FILE`: what a recording holds."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kubectl_packetpath import __version__
from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import Exit, fail, say, trouble_told, write

app = typer.Typer(
    help="Record a cluster in a file, or see what such a file holds.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def snapshot() -> None:
    """Record a cluster in a file, to look at later or elsewhere with --bundle."""


@app.command("save", short_help="Save the cluster's objects and every node's state.")
def save(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; a .zip of a few files.")],
    yes: options.Yes = False,
    image: options.Image = "",
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
    as_user: options.AsUser = "",
    as_groups: options.AsGroups = None,
    request_timeout: options.RequestTimeout = "20s",
) -> None:
    """Save the cluster's objects that matter, and every node's network state.

    Secrets are never read for it; environment variables and annotations of pods are left out.
    """
    with trouble_told():
        from kubectl_packetpath.cli.install import Permission, ready_agents  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.sources import bundle  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.sources.api import Api  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.sources.apiserver import read_all  # noqa: PLC0415 - keeps `--help` quick

        if file.is_dir():
            fail(f"{file} is a folder.", f"kubectl packetpath snapshot save {file / 'NAME'}", Exit.USAGE)
        if not file.absolute().parent.is_dir():
            fail(f"There is no folder {file.parent}.", f"mkdir -p {file.parent}", Exit.USAGE)
        api = Api.connect(
            options.access_of(kubeconfig, context, namespace, request_timeout, as_user, as_groups)
        )
        objects = read_all(api)
        names = [node["metadata"]["name"] for node in objects["nodes"]]
        with ready_agents(api, Permission(yes=yes, image=image)) as agents:
            say(f"reading {len(names)} nodes")
            snapshots = agents.snapshots(names)
            missing = dict(agents.missing)
        about = {
            "saved_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
            "context": api.context,
            "namespace": api.namespace,
            "nodes_missing": missing,
        }
        try:
            bundle.save(file, bundle.Recording(objects=objects, snapshots=snapshots, about=about))
        except OSError as error:
            fail(f"{file} cannot be written: {error.strerror}.", "", Exit.USAGE)
    for name, why in sorted(missing.items()):
        say(f"{name} is not in it: {why}")
    print(f"{file}: {len(snapshots)} of {len(names)} nodes, {file.stat().st_size / 1e6:.1f} MB")
    if missing:
        raise typer.Exit(Exit.OUT_OF_REACH)


@app.command("show", short_help="What a recording holds: when, of which cluster, nodes, Services.")
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording, or one node's snapshot.")],
) -> None:
    """What a recording holds: when it was saved, of which cluster, which nodes and Services."""
    with trouble_told():
        from kubectl_packetpath.cli.holding import held  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.sources.bundle import Bundle  # noqa: PLC0415 - keeps `--help` quick

        write(held(Bundle(file)))
