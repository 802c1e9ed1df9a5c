"""What MetalLB's speakers say of themselves, from the API."""

from collections.abc import Iterator
from typing import Any, cast

from kubectl_packetpath.sources.announcers import ROOT, read_announcements
from kubectl_packetpath.sources.api import Api, ApiError

PODS = "/api/v1/namespaces/metallb-system/pods"
STATUS = {
    "metadata": {
        "name": "l2-x",
        "namespace": "metallb-system",
        "ownerReferences": [{"kind": "Pod", "name": "speaker-1"}],
    },
    "status": {"node": "node1", "serviceName": "web", "serviceNamespace": "default"},
}
SPEAKER = {
    "metadata": {"name": "speaker-1"},
    "status": {"conditions": [{"type": "Ready", "status": "False"}]},
}


class Answers:
    """An API server with these lists; what it has not is told while the list is gone through."""

    def __init__(self, lists: dict[str, list[dict[str, Any]] | int]) -> None:
        self.lists = lists

    def list(self, path: str) -> Iterator[dict[str, Any]]:
        """A list."""
        found = self.lists.get(path, 404)
        if isinstance(found, int):
            raise ApiError(found, f"{path} says {found}")
        yield from found


def read(lists: dict[str, list[dict[str, Any]] | int]) -> dict[str, list[dict[str, Any]]]:
    """What is read of such an API."""
    return read_announcements(cast("Api", Answers(lists)))


def test_a_cluster_without_metallb() -> None:
    """It is no error, and told as what the cluster does not have."""
    (row,) = read({})["absent"]

    assert (row["kind"], row["why"]) == ("announcements", "not_loaded")


def test_what_may_not_be_read() -> None:
    """It is told as such."""
    (row,) = read({f"{ROOT}/servicel2statuses": 403, f"{ROOT}/servicebgpstatuses": []})["absent"]

    assert row["why"] == "not_permitted"


def test_an_announcement_with_its_speaker() -> None:
    """The object, the node, and whether the pod that wrote it is ready; a version without BGP's kind is no error."""
    (row,) = read({f"{ROOT}/servicel2statuses": [STATUS], PODS: [SPEAKER]})["announcements"]

    assert (row["source"], row["node"], row["name"]) == ("ServiceL2Status l2-x", "node1", "web")
    assert row["speakerReady"] is False
