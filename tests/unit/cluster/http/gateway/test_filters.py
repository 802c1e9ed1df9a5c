"""Paths after a redirect or rewrite."""

import pytest

from kubectl_packetpath.cluster.http.gateway.filter_objects import filter_of
from kubectl_packetpath.cluster.http.gateway.filters import changed_path, changes, unknown_filters
from kubectl_packetpath.cluster.http.gateway.model import PathChange
from kubectl_packetpath.cluster.http.request import request_of


@pytest.mark.parametrize(
    ("path", "prefix", "replacement", "expected"),
    [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
    ],
)
def test_a_prefix_is_replaced_as_the_table_of_the_specification_says(
    path: str, prefix: str, replacement: str, expected: str
) -> None:
    """https://gateway-api.sigs.k8s.io/reference/spec/#httppathmodifier (replacePrefixMatch)."""
    change = PathChange(type="ReplacePrefixMatch", value=replacement)

    assert expected == changed_path(path, change, prefix)


def test_what_filters_do_is_told() -> None:
    """Rewrites, mirrors and header changes, in their order."""
    given = [
        {
            "type": "URLRewrite",
            "urlRewrite": {
                "hostname": "one.example.org",
                "path": {"type": "ReplaceFullPath", "replaceFullPath": "/one"},
            },
        },
        {
            "type": "RequestMirror",
            "requestMirror": {"backendRef": {"name": "copy", "port": 80}, "percent": 20},
        },
        {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {"set": [{"name": "a", "value": "1"}], "remove": ["b"]},
        },
    ]
    filters = [filter_of(each, "shop") for each in given]

    assert list(changes(filters, request_of("http://x/full"), "/full")) == [
        "the host becomes one.example.org",
        "the path becomes /one",
        "a copy of 20% of the requests goes to Service shop/copy:80, and its answer to nobody",
        "sets request headers a: 1; removes request headers b",
    ]


def test_an_extension_is_named() -> None:
    """Only the implementation knows what it does."""
    given = {"type": "ExtensionRef", "extensionRef": {"group": "x.io", "kind": "Auth", "name": "login"}}

    assert unknown_filters([filter_of(given, "shop")]) == (
        "passes the implementation's own filter Auth.x.io login",
    )
