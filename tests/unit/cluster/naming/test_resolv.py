"""Which names are asked for, one after the other."""

import pytest

from kubectl_packetpath.cluster.naming.resolv import Library, candidates, parse_resolv_conf

POD = """
# written by a kubelet
nameserver 10.96.0.10
search shop.svc.cluster.local svc.cluster.local cluster.local
options ndots:5 timeout:1 edns0
"""
BELOW = ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"]


@pytest.mark.parametrize(
    ("name", "library", "expected"),
    [
        ("web", Library.GLIBC, [*(f"web.{each}" for each in BELOW), "web"]),
        ("web", Library.MUSL, [*(f"web.{each}" for each in BELOW), "web"]),
        ("www.example.com", Library.GLIBC, [*(f"www.example.com.{e}" for e in BELOW), "www.example.com"]),
        ("www.example.com.", Library.GLIBC, ["www.example.com"]),
        ("web.", Library.MUSL, ["web"]),
        ("a.b.c.d.e.f", Library.GLIBC, ["a.b.c.d.e.f", *(f"a.b.c.d.e.f.{each}" for each in BELOW)]),
        ("a.b.c.d.e.f", Library.MUSL, ["a.b.c.d.e.f"]),
    ],
)
def test_search_domains_come_before_or_after_the_name_itself(
    name: str, library: Library, expected: list[str]
) -> None:
    """With fewer dots than ndots before it; musl tries none of them for a name with enough dots."""
    conf = parse_resolv_conf(POD)

    assert expected == [each.name for each in candidates(name, conf, library)]


def test_a_file_is_read_as_resolvers_do() -> None:
    """The last search line counts, and what is not known stays as written."""
    found = parse_resolv_conf(POD + "search example.com.\nnameserver fd00::a\n")

    assert found.servers == ("10.96.0.10", "fd00::a")
    assert (found.search, found.ndots, found.timeout_seconds) == (("example.com",), 5, 1)
    assert found.options == ("edns0",)


def test_without_options_one_dot_is_enough() -> None:
    """The default of resolvers, not of pods."""
    found = parse_resolv_conf("nameserver 192.0.2.1\nsearch example.com\n")

    assert [each.name for each in candidates("a.b", found)] == ["a.b", "a.b.example.com"]


def test_ndots_has_an_upper_bound() -> None:
    """Resolvers take no more than 15."""
    assert parse_resolv_conf("options ndots:99\n").ndots == 15


@pytest.mark.parametrize(
    ("text", "search", "ndots"),
    [
        ("search a b\n", ("a", "b"), 1),
        (
            f"search {'x' * 60} {'y' * 60} {'z' * 60} {'w' * 60} abc\n",
            ("x" * 60, "y" * 60, "z" * 60, "w" * 60, "abc"),
            1,
        ),
        (f"search {'x' * 60} {'y' * 60} {'z' * 60} {'w' * 60} abcd\n", (), 1),
        ("search a\x00b\nsearch c\n", (), 1),
        ("options rotate;ndots:3\n", (), 3),
        ("options ndots:x\noptions ndots: 2\n", (), 1),
        ("domain a b\n", ("a", "b"), 1),
        ("search a\nsearch \n", (), 1),
        ("search a\nsearch\n", (), 1),
    ],
)
def test_musl_reads_a_file_in_its_own_way(text: str, search: tuple[str, ...], ndots: int) -> None:
    """No line of more than 254 bytes, numbers anywhere in an options line, and an empty list too; as musl 1.2.3 did."""
    found = parse_resolv_conf(text, Library.MUSL)

    assert (found.search, found.ndots) == (search, ndots)


def test_only_three_servers_are_asked() -> None:
    """Further ones are read, and never used."""
    found = parse_resolv_conf("".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 6)))

    assert len(found.asked_servers) == 3
