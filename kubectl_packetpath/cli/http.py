"""Questions about HTTP requests: what the proxy decides, and the path of each connection."""

from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import FAMILY_EXITS, Exit, fail, say, write
from kubectl_packetpath.cli.install import Permission, ready_agents
from kubectl_packetpath.cli.options import Output
from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.ask import AskError
from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.connections import Connection
from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.live.views import asked, live_of, settled
from kubectl_packetpath.cluster.http.outline import Outline, client_of, outlines
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.cluster.http.story import Stories, Story, Told
from kubectl_packetpath.cluster.http.tls.model import Secrets
from kubectl_packetpath.cluster.model import Cluster, Pod
from kubectl_packetpath.render import STORY_FORMATS
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.sources.api import Access, Api
from kubectl_packetpath.sources.apiserver import read_for_requests
from kubectl_packetpath.sources.asking import Supplier, answer
from kubectl_packetpath.sources.bundle import Bundle
from kubectl_packetpath.sources.proxies import Proxies
from kubectl_packetpath.sources.resolvers import files_of
from kubectl_packetpath.sources.web import read_secrets

HttpWishIn = Callable[[str], HttpWish]
"""The user's wish, read with this namespace for names without one."""


def live(access: Access, wish_in: HttpWishIn, output: Output, permission: Permission) -> int:
    """Of a live cluster."""
    api = Api.connect(access)
    wish = wish_in(api.namespace)
    starts = [wish.start.namespace] if wish.start is not None else []
    cluster = read_for_requests(api, [each for each in (wish.namespace, *starts) if each])
    client = client_of(wish, cluster)
    with ExitStack() as stack:
        agents = stack.enter_context(ready_agents(api, permission)) if client is not None else None
        files = files_of(client, agents) if client is not None and agents is not None else None
        found = outlines(wish, cluster, files)
        secrets = _secrets(found, lambda wanted: read_secrets(api, wanted))
        proxies = Proxies(api=api)
        proxies.ask(_wanted([each.plan for each in found if each.plan is not None]))
        if agents is None and any(each.has_questions for each in found):
            agents = stack.enter_context(ready_agents(api, permission))
        stories = _stories(wish, cluster, found, secrets, agents)
        return _show(_with_proxies(stories, cluster, proxies), output)


def _wanted(plans: Iterable[Plan], only: Collection[str] | None = None) -> list[tuple[Pod, int]]:
    """The proxies of these plans, each once, with the port where it is asked."""
    return list(
        dict.fromkeys(
            (pod, plan.controller.admin_port)
            for plan in plans
            for pod in asked(plan)
            if plan.controller.admin_port is not None and (only is None or pod.full_name in only)
        )
    )


def _with_proxies(found: Stories, cluster: Cluster, proxies: Proxies) -> Stories:
    """With what the proxies say that they have loaded; those that differ may be on their way, and are asked again."""
    told = [_with_live(each, cluster, proxies) for each in found.stories]
    differ = {view.pod for each in told for view in each.live.views if view.drifts}
    if differ:
        proxies.ask(_wanted([each.plan for each in found.stories if each.plan is not None], differ))
        told = [_with_live(each, cluster, proxies) for each in found.stories]
    return replace(found, stories=tuple(told))


def _with_live(story: Story, cluster: Cluster, proxies: Proxies) -> Story:
    if story.plan is None:
        return story
    live = live_of(story.plan, cluster, proxies.of)
    return replace(story, plan=settled(story.plan, cluster, live), live=live)


def recorded(file: Path, wish_in: HttpWishIn, namespace: str, output: Output) -> int:
    """Of a recording."""
    bundle = Bundle(file)
    if not bundle.cluster.web.was_read:
        why = "was saved by an older version" if bundle.cluster.nodes else "is the snapshot of one node"
        raise AskError(
            f"{file} holds no Ingresses and no Gateways: it {why}.", "kubectl packetpath snapshot save FILE"
        )
    cluster = replace(bundle.cluster, namespace=namespace or bundle.cluster.namespace)
    wish = wish_in(cluster.namespace)
    client = client_of(wish, cluster)
    found = outlines(wish, cluster, files_of(client, bundle) if client is not None else None)
    none = Secrets(found=Absent(why=Why.NOT_ASKED, detail="a recording holds no Secrets"))
    return _show(_stories(wish, cluster, found, none, bundle), output)


def _secrets(found: Iterable[Outline], read: Callable[[list[Reference]], Secrets]) -> Secrets:
    wanted = [each for one in found if one.plan is not None for each in one.plan.certificates]
    return read(wanted) if wanted else Secrets()


def _stories(
    wish: HttpWish,
    cluster: Cluster,
    found: Iterable[Outline],
    secrets: Secrets,
    supplier: Supplier | None,
) -> Stories:
    moment = datetime.now(UTC)
    stories = []
    for each in found:
        shown = each.plan.shown(cluster, secrets, moment) if each.plan is not None else None
        told = [_told(wish, connection, cluster, supplier) for connection in each.connections]
        stories.append(
            Story(
                title=each.title,
                plan=each.plan,
                shown=shown,
                resolution=each.resolution,
                resolver=each.resolver,
                told=tuple(one for one in told if one is not None),
                notes=each.notes,
            )
        )
    return Stories(target=wish.title, stories=tuple(stories), notes=tuple(cluster.web.refused()))


def _told(wish: HttpWish, connection: Connection, cluster: Cluster, supplier: Supplier | None) -> Told | None:
    expansion = connection.expansion
    if not expansion.questions and not expansion.notes:
        return None
    if supplier is None or not expansion.questions:
        empty = Answer(target=wish.title, ways=(), cluster=cluster, notes=expansion.notes)
        return Told(title=connection.title, answer=empty)
    found = answer(wish.title, expansion, cluster, supplier)
    return Told(title=connection.title, answer=replace(found, resolver=connection.resolver))


def _show(found: Stories, output: Output) -> int:
    """Print the stories; say which nodes were not seen."""
    write(STORY_FORMATS[output.value](found, options.style()))
    missing = {
        name: why
        for story in found.stories
        for told in story.told
        for name, why in told.answer.nodes_missing.items()
    }
    for name, why in sorted(missing.items()):
        say(f"{name} could not be looked at: {why}")
    asked = {way.question.start.node for s in found.stories for told in s.told for way in told.answer.ways}
    if asked and asked <= missing.keys():
        fail("No node could be looked at.", "kubectl packetpath agent status", Exit.OUT_OF_REACH)
    return FAMILY_EXITS[found.family]


__all__ = ["Permission", "live", "recorded"]
