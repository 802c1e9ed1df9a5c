"""Ingresses, Gateways and routes out of whatever a recording holds."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_packetpath.cluster.ask import AskError
from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.plan import plans
from kubectl_packetpath.cluster.http.web import KINDS
from kubectl_packetpath.cluster.objects import cluster_of

WORDS = st.sampled_from(
    [
        "metadata", "name", "namespace", "annotations", "spec", "status", "rules", "host", "http", "paths", "path",
        "pathType", "Prefix", "backend", "service", "port", "number", "ingressClassName", "contour", "listeners",
        "protocol", "HTTP", "hostname", "x.test", "parentRefs", "sectionName", "matches", "headers", "value", "type",
        "RegularExpression", "filters", "RequestRedirect", "requestRedirect", "backendRefs", "weight", "controller",
        "gatewayClassName", "hostnames", "allowedRoutes", "namespaces", "from", "Selector", "selector",
    ]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99999) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
OBJECTS = st.dictionaries(
    st.sampled_from([*KINDS, "services", "namespaces"]),
    st.lists(st.dictionaries(WORDS, ANYTHING, max_size=4), max_size=3),
    max_size=6,
)


@given(OBJECTS)
@settings(max_examples=200, deadline=None)
def test_garbage_is_left_out(objects: dict[str, list[dict[str, object]]]) -> None:
    """Whatever stands in it, there is a decision or a refusal, and never an exception."""
    world = cluster_of(objects)
    try:
        found = plans(HttpWish(url="http://x.test/a?b=c"), world)
    except AskError:
        return

    assert all(each.decision.reason for each in found)


def test_weights_below_nothing_are_nothing() -> None:
    """The API refuses them; a recording may hold them."""
    meta = {"namespace": "d", "name": "n"}
    refs = [{"name": "a", "port": 80, "weight": -1}, {"name": "b", "port": 80, "weight": 1}]
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    world = cluster_of(
        {
            "gateways": [{"metadata": meta, "spec": {"listeners": [listener]}}],
            "httproutes": [
                {"metadata": meta, "spec": {"parentRefs": [{"name": "n"}], "rules": [{"backendRefs": refs}]}}
            ],
        }
    )

    (plan,) = plans(HttpWish(url="http://x.test/"), world)

    assert [(each.backend.target.name, each.weight) for each in plan.decision.shares] == [("b", Fraction(1))]
