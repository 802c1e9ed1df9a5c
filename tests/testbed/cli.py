"""The commands of `python -m testbed`."""

import argparse
import shutil
import sys
import time
from pathlib import Path

from testbed import build, machine, sweep
from testbed.cluster import Cluster, NoClusterError
from testbed.component import ComponentDiedError
from testbed.netns import CommandError
from testbed.networks import names as network_names
from testbed.spec import ClusterSpec, Family, Proxy
from testbed.state import Record, State, alone
from testbed.vm.machine import RESULTS, VirtualMachine
from testbed.waiting import DeadlineError

EXPECTED = (
    build.BuildError,
    machine.MissingOnMachineError,
    NoClusterError,
    ComponentDiedError,
    CommandError,
    DeadlineError,
    ValueError,
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 with a sentence when something is missing or does not work."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except EXPECTED as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m testbed", description="A real Kubernetes cluster on one machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("build", help="build the programs that a cluster needs")
    command.add_argument("sets", nargs="*", metavar="SET")
    command.set_defaults(run=_build)
    _add_up(commands.add_parser("up", help="bring a cluster up, or mend it"))
    command = commands.add_parser("down", help="remove a cluster, or what is left of it")
    command.add_argument("--name", default="dev")
    command.add_argument("--all", action="store_true", help="all clusters of this machine")
    command.set_defaults(run=_down)
    command = commands.add_parser("list", help="the clusters of this machine")
    command.set_defaults(run=_list)
    command = commands.add_parser("load-image", help="give an image to every node of a cluster")
    command.add_argument("--name", default="dev")
    command.add_argument("archive", type=Path)
    command.set_defaults(run=_load_image)
    command = commands.add_parser(
        "vm", help="run a command in the virtual machine, whose kernel has ip_vs, wireguard, ipip and more"
    )
    command.add_argument(
        "words", nargs="*", metavar="WORD", help="the command; a cluster with IPVS otherwise"
    )
    command.set_defaults(run=_vm)
    return parser


def _add_up(command: argparse.ArgumentParser) -> None:
    command.add_argument("--name", default="dev")
    command.add_argument("--nodes", type=int, default=3, help="1 to 5")
    command.add_argument("--proxy", choices=[*Proxy], default=Proxy.IPTABLES_NFT)
    command.add_argument(
        "--proxy-of",
        action="append",
        default=[],
        metavar="NODE=PROXY",
        help="a node that differs in its proxy",
    )
    command.add_argument("--family", choices=[*Family], default=Family.IPV4)
    command.add_argument("--network", choices=network_names(), default="bridge")
    command.add_argument("--subnets", type=int, choices=(1, 2), default=1, help="L2 segments with nodes")
    command.add_argument("--dns", action="store_true", help="with CoreDNS")
    command.set_defaults(run=_up)


def _build(given: argparse.Namespace) -> None:
    for name, folder in build.build(*given.sets).items():
        print(f"{name:12} {folder}")


def _up(given: argparse.Namespace) -> None:
    started = time.monotonic()
    spec = ClusterSpec.of(
        given.name,
        given.nodes,
        subnets=given.subnets,
        proxies=dict(each.split("=", 1) for each in given.proxy_of),
        proxy=given.proxy,
        family=given.family,
        network=given.network,
        dns=given.dns,
    )
    cluster = Cluster.up(spec)
    build.say(f"{given.name} is up after {time.monotonic() - started:.0f} s.")
    for node in spec.nodes:
        addresses = " ".join(str(cluster.plan.node(node, version)) for version in cluster.plan.versions)
        print(f"{node.name}  Ready  {addresses}  {spec.proxy_of(node.name)}")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    kubectl = shutil.which("kubectl") or build.program_set("kubernetes").target / "kubectl"
    print(f"{kubectl} get pods -A")


def _down(given: argparse.Namespace) -> None:
    for name in sweep.clusters() if given.all else [given.name]:
        Cluster.down(name)
        build.say(f"{name} is gone.")


def _list(given: argparse.Namespace) -> None:
    del given
    for name in sweep.clusters():
        record = Record.load(State(name=name))
        print(
            f"{name:12} {record.spec.network if record else 'remains; python -m testbed down --name ' + name}"
        )


def _load_image(given: argparse.Namespace) -> None:
    Cluster.load(given.name).load_image(given.archive)


def _vm(given: argparse.Namespace) -> None:
    build.build()
    words = ["--nodes", "2", "--proxy", Proxy.IPVS, "--network", "flannel-wireguard", "--family", "dual"]
    command = given.words or [sys.executable, "-m", "testbed", "up", *words]
    with alone("virtual-machine"):
        ended = VirtualMachine(results=RESULTS).run(
            command,
            folder=Path.cwd(),
            environment={"PYTHONPATH": str(Path(__file__).parents[1])},
            shown=True,
        )
    build.say(f"The virtual machine ran for {ended.seconds:.0f} s. What the command left is in {RESULTS}.")
    if ended.code:
        raise CommandError(f"{' '.join(command)} failed ({ended.code}) in the virtual machine.")
