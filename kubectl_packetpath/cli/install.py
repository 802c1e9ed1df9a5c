"""Agents that are ready, installed first where the user allows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubectl_packetpath.cli.exits import ask_user, is_terminal, say
from kubectl_packetpath.cli.progress import Progress
from kubectl_packetpath.sources.agents import Agents
from kubectl_packetpath.sources.api import Api
from kubectl_packetpath.sources.installation import RIGHTS, Status, install, status_of
from kubectl_packetpath.sources.trouble import AgentMissingError

WAIT_SECONDS = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What the user allows."""

    yes: bool = False
    image: str = ""
    """Empty: the one that the manifests name."""


@contextmanager
def ready_agents(api: Api, permission: Permission) -> Iterator[Agents]:
    """The agents of the cluster, and their connections closed at the end."""
    status = status_of(api)
    if not status.installed:
        may_install(api, permission, "The agent is not installed.")
        status = install(api, permission.image, WAIT_SECONDS, say)
    progress = Progress()
    agents = Agents(api=api, status=status, progress=progress)
    try:
        yield agents
    finally:
        progress.clear()
        agents.close()


def may_install(api: Api, permission: Permission, problem: str) -> None:
    """A person is asked once; a script has to say so beforehand."""
    if permission.yes:
        return
    command = "kubectl packetpath agent install --yes"
    command += f" --context {api.context}" if api.access.context else ""
    if not is_terminal():
        raise AgentMissingError(problem, command)
    say(f"{problem} To look at the nodes of {api.context}, this would be installed:\n{RIGHTS}")
    if not ask_user("Install it now?"):
        raise AgentMissingError(f"{problem} Nothing was changed.", command)


def not_ready(status: Status) -> dict[str, str]:
    """Nodes whose agent does not answer, and why."""
    return {pod.node: pod.reason for pod in status.pods if pod.node and not pod.ready}
