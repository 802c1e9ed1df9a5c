"""The documents' example recording with an Ingress and a Gateway in it: real nodes, and rules of any kind."""

import json
import zipfile
from pathlib import Path
from typing import Any

DEMO = Path(__file__).parents[2] / "docs" / "demo.packetpath"
GATEWAY = "gateway.networking.k8s.io"


def path(value: str, service: str, kind: str = "Prefix", port: Any = 80) -> dict[str, Any]:
    """One path of an Ingress."""
    key = "number" if isinstance(port, int) else "name"
    return {"path": value, "pathType": kind, "backend": {"service": {"name": service, "port": {key: port}}}}


def ingress(name: str, *paths: dict[str, Any], **given: Any) -> dict[str, Any]:
    """An Ingress of Contour for `shop.test`, published where the Service `web` is."""
    host = given.get("host", "shop.test")
    spec = {"ingressClassName": given.get("class_name", "contour"), "tls": given.get("tls", [])}
    spec["rules"] = [{"host": host, "http": {"paths": list(paths)}}]
    meta = {"namespace": "demo", "name": name, "annotations": given.get("annotations", {})}
    published = {"loadBalancer": {"ingress": [{"ip": given["address"]}]}}
    return {"metadata": meta, "spec": spec, "status": published}


def recording(folder: Path, **objects: Any) -> Path:
    """The recording with these objects besides; the addresses of its Services are in `addresses`."""
    file = folder / "web.packetpath"
    with zipfile.ZipFile(DEMO) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "cluster.json":
                data = json.dumps(json.loads(data) | objects).encode()
            new.writestr(name, data)
    return file


def web_address() -> str:
    """The ClusterIP of the Service `web` of the recording."""
    with zipfile.ZipFile(DEMO) as archive:
        services = json.loads(archive.read("cluster.json"))["services"]
    found = next(each for each in services if each["metadata"]["name"] == "web")
    return str(found["spec"]["clusterIP"])


CLASSES = [{"metadata": {"name": "contour"}, "spec": {"controller": "projectcontour.io/contour"}}]


def with_ingress(folder: Path, *paths: dict[str, Any], **given: Any) -> Path:
    """A recording with one Ingress."""
    one = ingress("shop", *(paths or (path("/", "web"),)), address=web_address(), **given)
    return recording(folder, ingresses=[one], ingressclasses=CLASSES)


def with_gateway(folder: Path, *rules: dict[str, Any], **given: Any) -> Path:
    """A recording with a Gateway and one HTTPRoute."""
    status = [{"type": "Accepted", "status": "True"}]
    gateway = {
        "metadata": {"namespace": "demo", "name": "edge"},
        "spec": {
            "gatewayClassName": "contour",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"} | given.get("listener", {})],
        },
        "status": {"addresses": [{"value": web_address()}], "conditions": status},
    }
    parent = {"name": "edge"} | given.get("parent", {})
    told = [{"parentRef": parent, "controllerName": "projectcontour.io/gateway", "conditions": status}]
    route = {
        "metadata": {"namespace": "demo", "name": "shop"},
        "spec": {"parentRefs": [parent], "hostnames": ["shop.test"], "rules": list(rules)},
        "status": {"parents": told},
    }
    classes = [{"metadata": {"name": "contour"}, "spec": {"controllerName": "projectcontour.io/gateway"}}]
    return recording(
        folder,
        ingresses=[],
        ingressclasses=[],
        gatewayclasses=classes,
        gateways=[gateway],
        httproutes=[route],
        referencegrants=[],
    )
