"""Who is asked, and what becomes of an answer by what they say."""

from dataclasses import replace

from unit.cluster.http.live.shop import PROXY, loaded, world

from kubectl_packetpath.cluster.http.live.views import MOST_PROXIES, asked, live_of, settled
from kubectl_packetpath.cluster.http.story import Story


def test_a_proxy_that_runs_is_asked() -> None:
    """Not one that starts or ends."""
    plan, _ = world("/")
    starting = replace(PROXY, name="starting", ready=False)

    both = replace(plan, entrance=replace(plan.entrance, pods=(starting, PROXY)))

    assert [each.name for each in asked(both)] == ["envoy"]


def test_of_many_proxies_some_are_asked() -> None:
    """And that is said."""
    plan, cluster = world("/")
    pods = tuple(replace(PROXY, name=f"envoy-{n:02}") for n in range(20))
    many = replace(plan, entrance=replace(plan.entrance, pods=pods))

    found = live_of(many, cluster, lambda _: loaded())

    assert len(found.views) == MOST_PROXIES
    assert found.notes == ("8 of 20 proxies were asked what they have loaded",)
    assert not found.agrees


def test_proxies_that_know_the_objects_settle_the_doubt_about_their_controller() -> None:
    """It does not run, and they have loaded what it would tell them."""
    plan, cluster = world("/", control=False)

    live = live_of(plan, cluster, lambda _: loaded())
    found = settled(plan, cluster, live).decision

    assert len(plan.decision.doubts) == 1
    assert found.is_certain
    assert "Contour does not run" in found.notes[0]


def test_a_proxy_that_is_silent_leaves_the_doubt() -> None:
    """Nothing is known of it."""
    plan, cluster = world("/", control=False)

    live = live_of(plan, cluster, lambda _: "it did not answer")

    assert settled(plan, cluster, live) is plan
    assert live.views[0].unseen == "what it has loaded is not known: it did not answer"
    assert live.families == ()


def test_a_rule_that_no_proxy_knows_is_a_loss() -> None:
    """The story ends so, though the objects are fine."""
    plan, cluster = world("/")

    lost = live_of(plan, cluster, lambda _: loaded(tables=()))
    fine = live_of(plan, cluster, lambda _: loaded())

    assert [Story(title="", plan=plan, live=each).family for each in (lost, fine)] == ["lost", "unknown"]
