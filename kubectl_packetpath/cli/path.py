"""`kubectl packetpath TARGET`: every way in, or the one that the user asks for."""

from typing import TYPE_CHECKING, Annotated

import typer

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import trouble_told
from kubectl_packetpath.cli.options import Output, Protocol

if TYPE_CHECKING:
    from kubectl_packetpath.cluster.question import Wish

HELP = """The path of a Service: kubectl packetpath svc/my-app. (The word `path` can be left out.)

Without --from, every way in that the target offers is followed: its ClusterIP from a pod of each node, its node
ports, load balancer and external addresses from outside. Exit code 0: arrives; 1: some connections are lost;
2: wrong usage; 3: unknown; 4: cluster or agents out of reach."""


def path(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="svc/my-app[:port], pod/x[:port], node/x:port, IP:port or [IPv6]:port."
        ),
    ],
    start: Annotated[
        str,
        typer.Option("--from", metavar="START", help="pod/x, node/x or outside[:IP]. Default: everywhere."),
    ] = "",
    node: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="NAME", help="Enter by this node only; may be repeated."),
    ] = None,
    protocol: Annotated[
        Protocol | None, typer.Option("--protocol", help="Ask about this protocol only.")
    ] = None,
    output: options.OutputFormat = Output.TREE,
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
    """Follow a packet to its target."""
    with trouble_told():
        from kubectl_packetpath.cluster.ask import parse_start, parse_target  # noqa: PLC0415
        from kubectl_packetpath.cluster.question import Wish  # noqa: PLC0415

        def wish_in(home: str) -> "Wish":
            return Wish(
                target=parse_target(target, home),
                start=parse_start(start, home) if start else None,
                nodes=tuple(node or ()),
                protocol=protocol.value if protocol else "",
            )

        wish_in("default")
        if bundle is not None:
            from kubectl_packetpath.cli import recorded  # noqa: PLC0415

            code = recorded.ask(bundle, wish_in, namespace, output)
        else:
            from kubectl_packetpath.cli import live  # noqa: PLC0415

            access = options.access_of(kubeconfig, context, namespace, request_timeout, as_user, as_groups)
            code = live.ask(access, wish_in, output, live.Permission(yes=yes, image=image))
    raise typer.Exit(code)
