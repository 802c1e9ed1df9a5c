"""`kubectl packetpath TARGET`: every way in, or the one that the user asks for."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import trouble_told
from kubectl_packetpath.cli.options import Output, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubectl_packetpath.cluster.http.asking import HttpWish
    from kubectl_packetpath.cluster.question import Wish
    from kubectl_packetpath.sources.api import Access

HTTP = "HTTP requests"
HELP = """The path of a Service: kubectl packetpath svc/my-app. (The word `path` can be left out.)

Without --from, every way in that the target offers is followed: its ClusterIP from a pod of each node, its node
ports, load balancer and external addresses from outside. For ingress/x, gateway/x, httproute/x or a URL the proxy's
decision is told, then the way in and the connection from the proxy to the backend. Exit code 0: arrives; 1: some connections are lost;
2: wrong usage; 3: unknown; 4: cluster or agents out of reach."""


class Asked(NamedTuple):
    """What a target asks about, in words."""

    what: str
    not_of: str
    instead: str
    """What to ask where {} can be said."""


OF_REQUESTS = Asked(
    "HTTP requests", "packets", "svc/NAME with {}, for the Service of the proxy or of the backend"
)
OF_PACKETS = Asked(
    "packets", "HTTP requests", "ingress/NAME with {}, or gateway/NAME, httproute/NAME, https://host/path"
)


def path(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="svc/my-app[:port], pod/x[:port], node/x:port, IP:port, ingress/x, gateway/x, httproute/x or "
            "https://host/path.",
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
        Protocol | None,
        typer.Option("--protocol", case_sensitive=False, help="Ask about this protocol only."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="BYTES",
            min=60,
            max=65535,
            help="Length of the IP packet, which must not be cut.",
            show_default="60",
        ),
    ] = None,
    mtu: Annotated[
        bool, typer.Option("--mtu", help="Also find the longest packet that arrives, and what limits it.")
    ] = False,
    host: Annotated[
        str, typer.Option("--host", metavar="NAME", help="HTTP: ask for this host.", rich_help_panel=HTTP)
    ] = "",
    request_path: Annotated[
        str, typer.Option("--path", metavar="PATH", help="HTTP: ask for this path.", rich_help_panel=HTTP)
    ] = "",
    method: Annotated[
        str, typer.Option("--method", metavar="VERB", help="HTTP: GET or another.", rich_help_panel=HTTP)
    ] = "",
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            "-H",
            metavar="'NAME: VALUE'",
            help="HTTP: send this header; may be repeated.",
            rich_help_panel=HTTP,
        ),
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
        from kubectl_packetpath.cluster.ask import parse_start, parse_target  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.cluster.http import asking  # noqa: PLC0415 - keeps `--help` quick
        from kubectl_packetpath.cluster.question import PACKET_BYTES, Wish  # noqa: PLC0415 - keeps `--help` quick

        def wish_in(home: str) -> "Wish":
            return Wish(
                target=parse_target(target, home),
                start=parse_start(start, home) if start else None,
                nodes=tuple(node or ()),
                protocol=protocol.value if protocol else "",
                size_bytes=size or PACKET_BYTES,
                with_budget=mtu,
            )

        def http_wish_in(home: str) -> "HttpWish":
            headers = tuple(asking.parse_header(each) for each in header or ())
            overrides = asking.Overrides(host=host, path=request_path, method=method, headers=headers)
            wish = asking.parse_http_target(target, home, overrides)
            begin = parse_start(start, home) if start else None
            return replace(wish, start=begin, nodes=tuple(node or ()))

        def access() -> "Access":
            return options.access_of(kubeconfig, context, namespace, request_timeout, as_user, as_groups)

        if asking.is_about_http(target):
            of_packets = {"--size": size is not None, "--mtu": mtu, "--protocol": protocol is not None}
            _refuse(target, _given(of_packets), OF_REQUESTS)
            http_wish_in("default")
            from kubectl_packetpath.cli import http  # noqa: PLC0415 - only HTTP needs it

            if bundle is not None:
                code = http.recorded(bundle, http_wish_in, namespace, output)
            else:
                code = http.live(access(), http_wish_in, output, http.Permission(yes=yes, image=image))
            raise typer.Exit(code)
        of_requests = {"--host": host, "--path": request_path, "--method": method, "--header": header}
        _refuse(target, _given(of_requests), OF_PACKETS)
        wish_in("default")
        if bundle is not None:
            from kubectl_packetpath.cli import recorded  # noqa: PLC0415 - only a recording needs it

            code = recorded.ask(bundle, wish_in, namespace, output)
        else:
            from kubectl_packetpath.cli import live  # noqa: PLC0415 - only a live cluster needs it

            code = live.ask(access(), wish_in, output, live.Permission(yes=yes, image=image))
    raise typer.Exit(code)


def _given(options: "Mapping[str, object]") -> str:
    return " and ".join(name for name, value in options.items() if value)


def _refuse(target: str, given: str, asked: Asked) -> None:
    """Options that say nothing about such a target: they would be ignored in silence."""
    from kubectl_packetpath.cluster.ask import AskError  # noqa: PLC0415 - keeps `--help` quick

    if given:
        raise AskError(
            f"{target} asks about {asked.what}, and {given} can only be asked of {asked.not_of}.",
            f"kubectl packetpath {asked.instead.format(given)}",
        )
