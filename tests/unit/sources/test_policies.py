"""Policies read from an API server that has them, lacks them, or refuses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from kubectl_packetpath.cluster.objects import cluster_of
from kubectl_packetpath.sources.api import FORBIDDEN, NOT_FOUND, Api, ApiError
from kubectl_packetpath.sources.policies import GROUP, NETWORKING, Policed

POLICY = {
    "metadata": {"name": "it", "namespace": "shop", "uid": "1"},
    "spec": {"podSelector": {}},
    "status": {},
}
ALL = f"{NETWORKING}/networkpolicies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Answers paths with lists, objects, or a refusal; anything else is not there."""

    answers: Mapping[str, Any] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """One object."""
        answer = self.answers.get(path, NOT_FOUND)
        if isinstance(answer, int):
            raise ApiError(answer, f"{path} says {answer}")
        return answer

    def list(self, path: str) -> Iterator[Any]:
        """All objects of a kind."""
        yield from self.get(path)


def read(answers: Mapping[str, Any], *namespaces: str) -> Mapping[str, Any]:
    """What is read from such a server."""
    return Policed(api=cast("Api", Server(answers=answers)), namespaces=namespaces).read()


def test_only_what_is_looked_at_is_kept() -> None:
    """Neither status nor identifiers."""
    found = read({ALL: [POLICY]})

    assert found == {
        "networkpolicies": [{"metadata": {"name": "it", "namespace": "shop"}, "spec": {"podSelector": {}}}],
        "namespaces": [],
        "daemonsets": [],
    }


def test_arguments_of_programs_are_kept_only_if_they_switch_policies() -> None:
    """Others may hold anything."""
    container = {
        "name": "c",
        "image": "i",
        "args": ["--token=x", "--run-firewall=true"],
        "env": [{"value": "x"}],
    }
    given = {
        "metadata": {"name": "d", "namespace": "s"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    found = read({ALL: [], "/apis/apps/v1/daemonsets": [given]})["daemonsets"][0]

    assert found["spec"]["template"]["spec"]["containers"] == [
        {"name": "c", "image": "i", "args": ["--run-firewall=true"]}
    ]


def test_a_refusal_is_named() -> None:
    """It is no error of the question."""
    own = f"{NETWORKING}/namespaces/shop/networkpolicies"
    cluster = cluster_of(read({ALL: FORBIDDEN, own: FORBIDDEN, "/api/v1/namespaces": FORBIDDEN}, "shop"))

    assert cluster.policies.notes == ("Policies are not all known: networkpolicies may not be read.",)
    assert cluster.policies.unread("shop") == f"{ALL} says 403"


def test_one_namespace_is_read_where_all_may_not_be() -> None:
    """And it is known which."""
    cluster = cluster_of(
        read({ALL: FORBIDDEN, f"{NETWORKING}/namespaces/shop/networkpolicies": [POLICY]}, "shop")
    )

    assert len(cluster.policies.namespaced) == 1
    assert (cluster.policies.unread("shop"), bool(cluster.policies.unread("bank"))) == ("", True)


def test_a_cluster_without_the_policy_api_has_no_such_policies() -> None:
    """That is no refusal: the kinds are asked for first."""
    cluster = cluster_of(read({ALL: []}))

    assert (cluster.policies.tiered, cluster.policies.unread_tiers) == ((), "")


def test_the_newest_version_of_each_kind_is_read() -> None:
    """As the API server lists them."""
    served = {
        ALL: [],
        GROUP: {
            "versions": [{"groupVersion": f"policy.networking.k8s.io/{v}"} for v in ("v1alpha2", "v1alpha1")]
        },
        f"{GROUP}/v1alpha2": {"resources": [{"name": "clusternetworkpolicies"}]},
        f"{GROUP}/v1alpha1": {
            "resources": [{"name": "adminnetworkpolicies"}, {"name": "clusternetworkpolicies"}]
        },
        f"{GROUP}/v1alpha2/clusternetworkpolicies": [
            {"metadata": {"name": "a"}, "spec": {"tier": "Baseline"}}
        ],
        f"{GROUP}/v1alpha1/adminnetworkpolicies": FORBIDDEN,
    }
    cluster = cluster_of(read(served))

    assert [str(each.name) for each in cluster.policies.tiered] == ["ClusterNetworkPolicy a"]
    assert cluster.policies.unread_tiers == f"{GROUP}/v1alpha1/adminnetworkpolicies says 403"
