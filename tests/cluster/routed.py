"""The same Envoys behind a second address, which MetalLB announces by BGP to the router of the network outside."""

from cluster.edge import Edge

from testbed.addons import bgp, contour
from testbed.waiting import wait_until
from testbed.workloads import Server

NAME = "routed"


def publish(edge: Edge) -> str:
    """The address, once the router has routes to it over both nodes; clients keep theirs (externalTrafficPolicy Local)."""
    bgp.install(edge.cluster)
    service = Server(name="envoy", namespace=contour.NAMESPACE).service(
        name=NAME, type="LoadBalancer", externalTrafficPolicy="Local"
    )
    service["metadata"]["annotations"] = {"metallb.io/address-pool": bgp.POOL_NAME}
    ports = (("http", 80, 8080), ("https", 443, 8443))
    service["spec"]["ports"] = [{"name": n, "port": port, "targetPort": to} for n, port, to in ports]
    edge.cluster.kube.apply(service)
    wait_until("it has an address", lambda: address_of(edge))
    wait_until("the router knows both nodes", lambda: len(bgp.next_hops(edge.cluster, address_of(edge))) == 2)
    return address_of(edge)


def address_of(edge: Edge) -> str:
    """What MetalLB gave; empty: nothing yet."""
    status = edge.cluster.kube.get("Service", NAME, contour.NAMESPACE)["status"]
    return next((str(each["ip"]) for each in status["loadBalancer"].get("ingress", [])), "")
