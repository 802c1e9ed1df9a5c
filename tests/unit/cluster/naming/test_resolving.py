"""A name as a program in a pod resolves it."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import client_pod, cluster, service

from kubectl_packetpath.cluster.model import Cluster, DnsConfig
from kubectl_packetpath.cluster.naming.pods import resolv_conf_of
from kubectl_packetpath.cluster.naming.records import Code
from kubectl_packetpath.cluster.naming.resolv import Library, ResolvConf
from kubectl_packetpath.cluster.naming.resolving import Manner, resolve

DNS = service(namespace="kube-system", name="kube-dns", cluster_ips=(ip_address("10.96.0.10"),))
ALIAS = service(name="db", type="ExternalName", external_name="web.default.svc.cluster.local", cluster_ips=())
AWAY = service(name="away", type="ExternalName", external_name="db.example.com", cluster_ips=())
LOOP = service(
    name="loop", type="ExternalName", external_name="loop.default.svc.cluster.local", cluster_ips=()
)


def world() -> Cluster:
    """With DNS, a Service and three aliases."""
    return cluster(service(), DNS, ALIAS, AWAY, LOOP)


def conf() -> ResolvConf:
    """That of a pod in `default`."""
    found = resolv_conf_of(client_pod(1), world())
    assert found is not None
    return found


def test_a_pod_asks_the_clusters_dns_with_its_own_namespace_first() -> None:
    """The policy ClusterFirst, which is the default."""
    assert conf() == ResolvConf(
        servers=("10.96.0.10",),
        search=("default.svc.cluster.local", "svc.cluster.local", "cluster.local"),
        ndots=5,
    )


@pytest.mark.parametrize(
    ("name", "names", "questions"),
    [
        ("web", 1, 2),
        ("web.default", 2, 4),
        ("web.default.svc", 3, 6),
        ("web.default.svc.cluster.local", 4, 8),
    ],
)
def test_a_longer_name_costs_more_questions(name: str, names: int, questions: int) -> None:
    """With ndots 5 even a full name is first tried with each search domain; A and AAAA are two questions."""
    found = resolve(name, conf(), world())

    assert (len(found.asked), found.questions) == (names, questions)
    assert [str(each) for each in found.addresses] == ["10.96.0.9"]


def test_a_final_dot_costs_one() -> None:
    """Nothing is added to such a name."""
    assert len(resolve("web.default.svc.cluster.local.", conf(), world()).asked) == 1


def test_an_alias_is_followed_to_the_service() -> None:
    """An ExternalName that names another Service."""
    found = resolve("db", conf(), world())

    assert found.end is not None
    assert [each.name for each in found.end.answers] == [
        "db.default.svc.cluster.local",
        "web.default.svc.cluster.local",
    ]
    assert found.service == service()


def test_an_alias_that_leaves_the_cluster_is_not_certain() -> None:
    """Other servers answer."""
    found = resolve("away", conf(), world())

    assert (found.code, found.is_certain) == (Code.FORWARDED, False)


def test_an_alias_of_itself_ends() -> None:
    """Without any address."""
    assert resolve("loop", conf(), world()).addresses == ()


def test_a_name_that_does_not_exist_is_tried_in_all_ways() -> None:
    """And in the end other servers are asked for it."""
    found = resolve("wbe", conf(), world())

    assert [each.last.code for each in found.asked] == [Code.NO_NAME] * 3 + [Code.FORWARDED]


def test_a_name_that_others_are_asked_for_first_may_still_be_ours() -> None:
    """With ndots 1 a name with a dot is asked for as it is, and the search list comes only after that."""
    given = replace(conf(), ndots=1)

    found = resolve("web.default", given, world())
    musl = resolve("web.default", given, world(), Manner(library=Library.MUSL))

    assert [str(each) for each in found.addresses] == ["10.96.0.9"]
    assert not found.is_certain
    assert found.asked[1].candidate.why.endswith("only if other servers do not know the name before")
    assert (musl.addresses, musl.code) == ((), Code.FORWARDED)


def test_musl_stops_at_a_name_without_address() -> None:
    """The name exists, so musl does not try the next one; glibc does."""
    given = replace(conf(), search=("svc.cluster.local", "default.svc.cluster.local"))

    by_library = [len(resolve("default", given, world(), Manner(library=each)).asked) for each in Library]

    assert by_library == [3, 1]


def test_an_address_is_no_name() -> None:
    """Nobody is asked."""
    found = resolve("10.96.0.9", conf(), world())

    assert (found.questions, [str(each) for each in found.addresses]) == (0, ["10.96.0.9"])


def test_a_pods_own_options_come_on_top() -> None:
    """The usual cure of too many questions is a smaller ndots."""
    own = DnsConfig(servers=("192.0.2.53",), searches=("example.com",), options=(("ndots", "2"),))
    found = resolv_conf_of(replace(client_pod(1), dns_config=own), world())

    assert found is not None
    assert (found.servers, found.search[-1], found.ndots) == (("10.96.0.10", "192.0.2.53"), "example.com", 2)


@pytest.mark.parametrize(
    ("policy", "host_network", "known"),
    [
        ("Default", False, False),
        ("ClusterFirst", True, False),
        ("ClusterFirstWithHostNet", True, True),
        ("None", False, True),
    ],
)
def test_the_nodes_own_file_is_not_in_the_api(policy: str, host_network: bool, known: bool) -> None:
    """A pod in the node's network uses it, unless its policy says otherwise."""
    pod = replace(client_pod(1), dns_policy=policy, host_network=host_network)

    assert known == (resolv_conf_of(pod, world()) is not None)
