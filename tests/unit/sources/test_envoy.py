"""Answers of a real Envoy's admin interface, as it gave them, and answers that no Envoy gives."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.cluster.http.live.shop import PROXY, world

from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.live.comparing import compare
from kubectl_packetpath.cluster.http.live.model import Loaded
from kubectl_packetpath.sources.envoy import clusters_of, listeners_of, tables_of
from kubectl_packetpath.sources.trouble import UnreachableError

STAR = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\.x-y\.test(:[0-9]+)?"
RECORDED = Path(__file__).parent / "envoy"


def recorded(name: str) -> bytes:
    """An answer of Envoy 1.40: two clusters, one host of which it ejected after its errors."""
    return (RECORDED / f"{name}.json").read_bytes()


def one_route(**given: Any) -> Any:
    """A dump with one route for all hosts."""
    hosts = [{"name": "a", "domains": ["*"], "routes": [{"match": {"prefix": "/"}} | given]}]
    return tables_of(
        msgspec.json.encode({"configs": [{"route_config": {"name": "a", "virtual_hosts": hosts}}]})
    )


def test_listeners_are_told_with_their_addresses() -> None:
    """The one for requests on all addresses, the one for reading this on the loopback."""
    found = [(each.name, str(each.address), each.port) for each in listeners_of(recorded("listeners"))]

    assert found == [("ingress_http", "0.0.0.0", 8080), ("envoy-admin", "127.0.0.1", 9001)]


def test_routes_are_told_in_their_order() -> None:
    """With what they ask for and where they lead."""
    ((host,),) = (table.hosts for table in tables_of(recorded("routes")))

    assert [(str(each.match), each.does, each.clusters) for each in host.routes] == [
        ("path_separated_prefix /cart", "route", (("shop/two/80/da39a3ee5e", 1),)),
        ("path /exact", "route", (("shop/one/80/da39a3ee5e", 3), ("shop/two/80/da39a3ee5e", 1))),
        ("prefix / and header version exact two", "redirect", ()),
        ("prefix /", "route", (("shop/one/80/da39a3ee5e", 1),)),
    ]


def test_a_host_that_was_ejected_is_told_with_the_reason() -> None:
    """Two answers of 503, and Envoy's outlier detection sends it nothing for a while."""
    found = {each.source: each.members for each in clusters_of(recorded("clusters"))}

    assert [(str(each.address), each.flags) for each in found["shop/one/http"]] == [
        ("127.0.0.1", ()),
        ("127.0.0.2", ("failed_outlier_check",)),
    ]
    assert [str(each.address) for each in found["shop/two/http"]] == ["10.244.0.7"]


def test_the_object_behind_a_route_is_known_where_contour_notes_it() -> None:
    """For its access log."""
    ((host,),) = (table.hosts for table in tables_of(recorded("contour-routes")))

    (only,) = host.routes
    assert only.origin == Reference(kind="Ingress", namespace="edge-tests", name="shop")
    assert only.clusters == (("edge-tests/one/80/da39a3ee5e", 1),)


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"safe_regex": {"regex": "^/a"}}, "safe_regex"),
        ({"prefix": "/", "grpc": {}}, "prefix / and grpc"),
        (
            {"prefix": "/", "headers": [{"name": "a", "string_match": {"exact": "b", "ignore_case": True}}]},
            "prefix / and header a exact ignore_case",
        ),
        (
            {
                "prefix": "/",
                "headers": [{"name": ":authority", "string_match": {"safe_regex": {"regex": "^a+"}}}],
            },
            "prefix / and header :authority safe_regex",
        ),
        (
            {
                "prefix": "/",
                "headers": [{"name": ":authority", "string_match": {"safe_regex": {"regex": STAR}}}],
            },
            "prefix / and header :authority one label and .x-y.test",
        ),
        (
            {
                "prefix": "/",
                "headers": [
                    {"name": ":authority", "string_match": {"safe_regex": {"regex": STAR.replace("x", ".")}}}
                ],
            },
            "prefix / and header :authority safe_regex",
        ),
        ({"prefix": "/", "headers": [{"name": "a", "range_match": {}}]}, "prefix / and header a range_match"),
    ],
)
def test_what_is_not_understood_is_kept_by_its_name(match: dict[str, Any], words: str) -> None:
    """So that nothing is guessed from it."""
    ((host,),) = (each.hosts for each in one_route(match=match))

    assert str(host.routes[0].match) == words


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"cluster_statuses": 7}',
        b'{"cluster_statuses": [{"name": 7}]}',
        b'{"cluster_statuses": [{"name": "a", "host_statuses": [{"address": {"socket_address": {"address": "x"}}}]}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_of_an_envoy_is_refused(answer: bytes) -> None:
    """With one sentence, whatever a pod sends."""
    with pytest.raises(UnreachableError, match="its answer is not what Envoy answers"):
        clusters_of(answer)


def test_a_weight_below_nothing_is_refused() -> None:
    """Shares would make no sense."""
    with pytest.raises(UnreachableError, match="a weight below 0"):
        one_route(route={"weighted_clusters": {"clusters": [{"name": "a", "weight": -1}]}})


JUNK: tuple[Any, ...] = (
    None,
    -1,
    1.5,
    1 << 80,
    True,
    "",
    "\x00",
    "é" * 5000,
    [],
    {},
    [None],
    {"a": {"b": []}},
)


def damaged(whole: Any) -> Iterator[Any]:
    """The same with one value after the other replaced by something else."""
    if isinstance(whole, dict):
        for key, value in whole.items():
            yield from (whole | {key: other} for other in (*JUNK, *damaged(value)))
    if isinstance(whole, list):
        for number, value in enumerate(whole):
            yield from ([*whole[:number], other, *whole[number + 1 :]] for other in (*JUNK, *damaged(value)))


@pytest.mark.parametrize("name", ["listeners", "routes", "clusters"])
def test_a_damaged_answer_is_refused_or_compared(name: str) -> None:
    """Never anything else: no answer fails for what a pod says."""
    plan, cluster = world("/")
    plan = replace(plan, request=replace(plan.request, host="shop.test"))
    readers: dict[str, Callable[[bytes], Any]] = {
        "listeners": listeners_of,
        "routes": tables_of,
        "clusters": clusters_of,
    }
    fields = {"listeners": "listeners", "routes": "tables", "clusters": "clusters"}
    good = Loaded(**{fields[each]: reader(recorded(each)) for each, reader in readers.items()})
    refused = compared = 0
    for each in damaged(json.loads(recorded(name))):
        try:
            found = readers[name](json.dumps(each).encode())
        except UnreachableError:
            refused += 1
            continue
        assert compare(plan, cluster, PROXY, replace(good, **{fields[name]: found})).pod == PROXY.full_name
        compared += 1

    assert min(refused, compared) > 10


AT_ONCE = """
import sys, threading
from kubectl_packetpath.sources.envoy import clusters_of, listeners_of, tables_of

sys.setswitchinterval(1e-7)
begin = threading.Barrier(8)

def read():
    begin.wait()
    listeners_of(b'{"listener_statuses": []}')
    tables_of(b'{"configs": []}')
    clusters_of(b'{"cluster_statuses": []}')

threads = [threading.Thread(target=read) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print("read")
"""


@pytest.mark.parametrize("turn", range(5))
def test_several_answer_at_once(turn: int) -> None:
    """The library that knows the shapes would crash if two threads were the first to ask for one."""
    done = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True, check=False)

    assert (turn, done.returncode, done.stdout, done.stderr) == (turn, 0, "read\n", "")
