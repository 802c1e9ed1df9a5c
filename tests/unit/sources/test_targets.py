"""TargetGroupBindings from the API."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from kubectl_packetpath.cluster.objects import cluster_of
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.sources.api import Api, ApiError
from kubectl_packetpath.sources.targets import PATH, read_targets

BINDING = {
    "metadata": {"name": "k8s-default-web-1", "namespace": "default", "uid": "x"},
    "spec": {
        "serviceRef": {"name": "web", "port": 80},
        "targetGroupARN": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/k8s-default-web-1/0a",
        "targetType": "ip",
    },
}


class Answers:
    """An API server that answers so."""

    def __init__(self, found: list[dict[str, Any]] | int) -> None:
        self.found = found

    def list(self, path: str) -> Iterator[dict[str, Any]]:
        """The list."""
        assert path == PATH
        if isinstance(self.found, int):
            raise ApiError(self.found, f"{path} says {self.found}")
        yield from self.found


def read(found: list[dict[str, Any]] | int) -> dict[str, list[dict[str, Any]]]:
    """What is read of it."""
    return read_targets(cast("Api", Answers(found)))


def test_only_what_is_looked_at_is_kept() -> None:
    """Neither account numbers nor anything else."""
    objects = read([BINDING])

    assert objects["targetgroupbindings"][0]["spec"] == {
        "serviceRef": {"name": "web", "port": 80},
        "targetType": "ip",
    }
    groups = cluster_of(objects).target_groups
    assert not isinstance(groups, Absent)
    assert [(each.service, each.target_type) for each in groups] == [("web", "ip")]


@pytest.mark.parametrize(("status", "why"), [(404, "not_loaded"), (403, "not_permitted")])
def test_where_there_are_none(status: int, why: str) -> None:
    """It is no error, and said."""
    (row,) = read(status)["absent"]

    assert (row["kind"], row["why"]) == ("targetgroupbindings", why)


def test_other_trouble_is_an_error() -> None:
    """A server that fails."""
    with pytest.raises(ApiError):
        read(500)
