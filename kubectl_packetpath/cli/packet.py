"""`kubectl packetpath packet`: one packet through one node, until it is sent, delivered or lost."""

from typing import TYPE_CHECKING, Annotated

import typer

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import trouble_told
from kubectl_packetpath.cli.options import Output

if TYPE_CHECKING:
    from kubectl_packetpath.cli.one_packet import WantedPacket

HELP = """One packet through one node, until it is sent, delivered or lost.

Say where it starts with one of --in IFACE, --from-host and --from-pod. It ends with SENT where it leaves the node."""


def packet(
    dst: Annotated[str, typer.Option("--dst", metavar="IP", help="Destination address.")],
    src: Annotated[
        str,
        typer.Option(
            "--src", metavar="IP", help="Source address. Default: what the sender's kernel chooses."
        ),
    ] = "",
    protocol: Annotated[str, typer.Option("--protocol", help="tcp, udp, sctp, icmp or icmpv6.")] = "tcp",
    dport: Annotated[int | None, typer.Option("--dport", min=1, max=65535, help="Destination port.")] = None,
    sport: Annotated[
        int | None, typer.Option("--sport", min=1, max=65535, help="Source port. Default: any.")
    ] = None,
    node: Annotated[
        str, typer.Option("--node", metavar="NAME", help="The node. Default: the only one.")
    ] = "",
    device: Annotated[str, typer.Option("--in", metavar="IFACE", help="It comes in by this device.")] = "",
    from_host: Annotated[bool, typer.Option("--from-host", help="A program on the node sends it.")] = False,
    from_pod: Annotated[str, typer.Option("--from-pod", metavar="NS/NAME", help="This pod sends it.")] = "",
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
    """Follow one packet through one node."""
    with trouble_told():
        from kubectl_packetpath.cli import one_packet  # noqa: PLC0415 - keeps `--help` quick

        wanted: WantedPacket = one_packet.WantedPacket(
            node=node,
            device=device,
            from_host=from_host,
            from_pod=from_pod,
            source=src,
            destination=dst,
            protocol=protocol,
            sport=sport,
            dport=dport,
        )
        if bundle is not None:
            code = one_packet.recorded(wanted, bundle, namespace, output)
        else:
            from kubectl_packetpath.cli.install import Permission  # noqa: PLC0415 - only a live cluster needs it

            access = options.access_of(kubeconfig, context, namespace, request_timeout, as_user, as_groups)
            code = one_packet.live(wanted, access, Permission(yes=yes, image=image), output)
    raise typer.Exit(code)
