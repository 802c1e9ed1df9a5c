"""Kubernetes' JSON read into our data."""

from kubectl_packetpath.cluster.objects import cluster_of, node_of, pod_of, service_of, slice_of


def test_a_service_as_the_api_gives_it() -> None:
    """Ports, addresses and what a load balancer wrote."""
    found = service_of(
        {
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {
                "type": "LoadBalancer",
                "clusterIP": "10.96.0.9",
                "clusterIPs": ["10.96.0.9", "fd00:96::9"],
                "ports": [{"name": "http", "port": 80, "nodePort": 30080, "targetPort": "http"}],
                "externalIPs": ["192.0.2.80"],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.90", "ipMode": "Proxy"}]}},
        }
    )

    assert [str(ip) for ip in found.cluster_ips] == ["10.96.0.9", "fd00:96::9"]
    assert (
        found.ports[0].name,
        found.ports[0].node_port,
        found.ports[0].target_port,
    ) == ("http", 30080, "http")
    assert (str(found.balancer[0].address), found.balancer[0].mode) == ("192.0.2.90", "Proxy")


def test_a_headless_service_has_no_cluster_ip() -> None:
    """`None` is a word of the API, not an address."""
    found = service_of({"metadata": {"name": "x"}, "spec": {"clusterIP": "None", "clusterIPs": ["None"]}})

    assert found.headless
    assert found.cluster_ips == ()


def test_an_endpoint_without_conditions_is_ready() -> None:
    """Kubernetes says to take nil for true."""
    found = slice_of(
        {
            "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [
                {"addresses": ["10.0.0.1"]},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
            ],
        }
    )

    assert [each.ready for each in found.endpoints] == [True, False]


def test_garbage_in_an_object_is_left_out() -> None:
    """A bundle's objects may come from anywhere."""
    found = cluster_of(
        {
            "services": [{"metadata": 7, "spec": {"clusterIPs": ["nonsense"], "ports": "x"}}],
            "pods": [{"status": {"podIPs": [{"ip": "10.0.0.1"}, {"ip": None}, "x"]}}],
            "nodes": [{}],
        }
    )

    assert found.services[0].cluster_ips == ()
    assert [str(ip) for ip in found.pods[0].addresses] == ["10.0.0.1"]


def test_a_node_is_known_by_its_internal_addresses_first() -> None:
    """Host names are no addresses."""
    found = node_of(
        {
            "metadata": {"name": "n1"},
            "status": {
                "addresses": [
                    {"type": "ExternalIP", "address": "198.51.100.9"},
                    {"type": "Hostname", "address": "n1"},
                    {"type": "InternalIP", "address": "172.30.1.11"},
                ]
            },
        }
    )

    assert [str(ip) for ip in found.addresses] == ["172.30.1.11", "198.51.100.9"]


def test_a_pod_with_named_ports() -> None:
    """Of all its containers."""
    found = pod_of(
        {
            "metadata": {"namespace": "shop", "name": "web-1"},
            "spec": {"nodeName": "n1", "containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1"},
        }
    )

    assert (found.ports[0].name, found.ports[0].port) == ("http", 8080)
    assert found.is_client
