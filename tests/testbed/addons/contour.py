"""Contour with real Envoys, one on each node, behind a Service of the type LoadBalancer.

It serves Ingresses of the class `contour` and the Gateway `projectcontour/edge`, whose listeners are `http` on port 80
and, with a certificate, `https` on port 443. What Contour says to Envoy is not encrypted here.
"""

from typing import Any

from testbed import build
from testbed.addons import envoy
from testbed.addons.parts import (
    Manifest,
    account,
    archive,
    install_resources,
    wait_ready,
    workload,
)
from testbed.cluster import Cluster
from testbed.images import program_path
from testbed.modules import custom_resources, module_folder
from testbed.oci import Image
from testbed.waiting import wait_until
from testbed.workloads import namespace

NAMESPACE = "projectcontour"
CONTOUR, ENVOY = "localhost/contour:1", "localhost/envoy:1"
CONTROLLER, GATEWAY_CONTROLLER = (
    "projectcontour.io/ingress-controller",
    "projectcontour.io/gateway-controller",
)
GATEWAY = "edge"
XDS_PORT = 8001
CONFIG = f"""gateway:
  gatewayRef:
    namespace: {NAMESPACE}
    name: {GATEWAY}
"""


def install(cluster: Cluster, *, certificate: str = "", addresses: tuple[str, ...] = ()) -> None:
    """Install it and wait until it serves; `certificate` names a TLS Secret of its namespace for port 443.

    `addresses` are published in the status of Ingresses and of the Gateway, where no balancer gives one.
    """
    build.build("contour")
    for image, key in _images():
        cluster.load_image(archive(image, key))
    source = module_folder("contour", "github.com/projectcontour/contour")
    gateway_api = module_folder("contour", "sigs.k8s.io/gateway-api")
    install_resources(cluster, custom_resources(source / "examples" / "contour" / "01-crds.yaml"))
    install_resources(cluster, custom_resources(gateway_api / "config" / "crd" / "experimental"))
    kube = cluster.kube
    kube.apply(namespace(NAMESPACE), *account(NAMESPACE, "contour"), *_classes(), _gateway(certificate))
    service = kube.apply(_xds_service())[0]
    kube.apply(_config(), _contour(addresses), _envoys(service["spec"]["clusterIP"]), _service())
    wait_ready(cluster, "Deployment", NAMESPACE, "contour")
    wait_ready(cluster, "DaemonSet", NAMESPACE, "envoy")
    wait_until("the Gateway is programmed or waits for an address", lambda: _is_accepted(cluster))


def _images() -> list[tuple[Image, str]]:
    contour = Image(
        name=CONTOUR, entrypoint=("/contour",), files={"contour": program_path("contour", "contour")}
    )
    proxy = Image(name=ENVOY, entrypoint=("/envoy",), files=envoy.files())
    return [(contour, build.program_set("contour").key), (proxy, envoy.VERSION)]


def _classes() -> list[Manifest]:
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "contour"},
            "spec": {"controller": CONTROLLER},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "contour"},
            "spec": {"controllerName": GATEWAY_CONTROLLER},
        },
    ]


def _gateway(certificate: str) -> Manifest:
    everywhere = {"namespaces": {"from": "All"}}
    listeners: list[Manifest] = [
        {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": everywhere}
    ]
    if certificate:
        tls = {"certificateRefs": [{"name": certificate}]}
        listeners.append(
            {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls, "allowedRoutes": everywhere}
        )
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"namespace": NAMESPACE, "name": GATEWAY},
        "spec": {"gatewayClassName": "contour", "listeners": listeners},
    }


def _xds_service() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": NAMESPACE, "name": "contour"},
        "spec": {"selector": {"app": "contour"}, "ports": [{"name": "xds", "port": XDS_PORT}]},
    }


def _config() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": NAMESPACE, "name": "contour"},
        "data": {"contour.yaml": CONFIG},
    }


def _field(path: str) -> dict[str, Any]:
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


def _contour(addresses: tuple[str, ...]) -> Manifest:
    published = [f"--ingress-status-address={','.join(addresses)}"] if addresses else []
    container = {
        "name": "contour",
        "image": CONTOUR,
        "args": [
            "serve",
            "--incluster",
            "--insecure",
            "--xds-address=0.0.0.0",
            f"--xds-port={XDS_PORT}",
            "--config-path=/config/contour.yaml",
            *published,
        ],
        "env": [
            {"name": "CONTOUR_NAMESPACE"} | _field("metadata.namespace"),
            {"name": "POD_NAME"} | _field("metadata.name"),
        ],
        "readinessProbe": {"tcpSocket": {"port": XDS_PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    }
    pod = {
        "serviceAccountName": "contour",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "contour"}}],
    }
    return workload("Deployment", NAMESPACE, "contour", pod, {"app": "contour"})


def _envoys(xds_address: str) -> Manifest:
    mount = [{"name": "config", "mountPath": "/config"}]
    first = {
        "name": "bootstrap",
        "image": CONTOUR,
        "args": [
            "bootstrap",
            "/config/envoy.json",
            "--admin-address=/config/admin.sock",
            f"--xds-address={xds_address}",
            f"--xds-port={XDS_PORT}",
            "--resources-dir=/config/resources",
        ],
        "env": [{"name": "CONTOUR_NAMESPACE"} | _field("metadata.namespace")],
        "volumeMounts": mount,
    }
    container = {
        "name": "envoy",
        "image": ENVOY,
        "args": [
            "-c",
            "/config/envoy.json",
            "--service-cluster",
            NAMESPACE,
            "--service-node",
            "$(POD_NAME)",
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "--log-level",
            "warning",
        ],
        "env": [{"name": "POD_NAME"} | _field("metadata.name")],
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "https", "containerPort": 8443}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8002}, "periodSeconds": 1},
        "volumeMounts": mount,
    }
    pod = {
        "automountServiceAccountToken": False,
        "initContainers": [first],
        "containers": [container],
        "volumes": [{"name": "config", "emptyDir": {}}],
    }
    return workload("DaemonSet", NAMESPACE, "envoy", pod, {"app": "envoy"})


def _service() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": NAMESPACE, "name": "envoy"},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "selector": {"app": "envoy"},
            "ports": [
                {"name": "http", "port": 80, "targetPort": 8080},
                {"name": "https", "port": 443, "targetPort": 8443},
            ],
        },
    }


def _is_accepted(cluster: Cluster) -> bool:
    api = "gateway.networking.k8s.io/v1"
    status = cluster.kube.get("Gateway", GATEWAY, NAMESPACE, api=api).get("status", {})
    return any(
        each["type"] == "Accepted" and each["status"] == "True" for each in status.get("conditions", [])
    )
