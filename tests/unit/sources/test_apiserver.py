"""What is kept of the API's objects."""

from kubectl_packetpath.sources.apiserver import KEPT, trimmed


def test_environment_and_annotations_are_left_out() -> None:
    """They may hold secrets, and a recording is sent to others."""
    pod = {
        "metadata": {
            "name": "x",
            "namespace": "d",
            "annotations": {"token": "secret"},
            "managedFields": [{}],
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {"name": "c", "env": [{"name": "P", "value": "secret"}], "ports": [{"containerPort": 1}]}
            ],
            "volumes": [{"secret": {"secretName": "secret"}}],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }

    kept = trimmed(pod, KEPT["pods"])

    assert "secret" not in str(kept)
    assert kept["spec"] == {"nodeName": "n1", "containers": [{"name": "c", "ports": [{"containerPort": 1}]}]}


def test_what_an_object_does_not_have_is_not_made_up() -> None:
    """Absent stays absent."""
    assert trimmed({"metadata": {"name": "x"}}, KEPT["services"]) == {"metadata": {"name": "x"}}
