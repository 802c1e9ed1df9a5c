"""Amazon's load balancers: Network (by the AWS Load Balancer Controller or EKS), and those of the older cloud provider.

Sources: https://kubernetes-sigs.github.io/aws-load-balancer-controller/ (guide/service/annotations, pkg/service
model_build_target_group.go), https://github.com/kubernetes/cloud-provider-aws (pkg/providers/v1/aws.go),
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
"""

from kubectl_packetpath.cluster.clouds.base import PREFIX, Arrival, Balancer, Reader
from kubectl_packetpath.cluster.model import TargetGroup
from kubectl_packetpath.snapshot.absent import Absent

BASE = f"{PREFIX}aws-load-balancer-"
TYPE, TARGETS, PROXY = f"{BASE}type", f"{BASE}nlb-target-type", f"{BASE}proxy-protocol"
ATTRIBUTES = f"{BASE}target-group-attributes"
CHECK_PROTOCOL, CHECK_PORT, CHECK_PATH = (
    f"{BASE}healthcheck-{each}" for each in ("protocol", "port", "path")
)
BACKEND = f"{BASE}backend-protocol"
INTERNAL, SCHEME = f"{BASE}internal", f"{BASE}scheme"
ANNOTATIONS = (
    TYPE, TARGETS, PROXY, ATTRIBUTES, CHECK_PROTOCOL, CHECK_PORT, CHECK_PATH, BACKEND, INTERNAL, SCHEME,
)  # fmt: skip
CLASSES = ("service.k8s.aws/nlb", "eks.amazonaws.com/nlb")
FINALIZERS = ("service.k8s.aws/resources", "eks.amazonaws.com/service-resources")
DOCUMENTED = "the AWS Load Balancer Controller's documentation"
OF_AWS = "AWS' documentation"


def balancer(reader: Reader) -> Balancer | None:
    """By the class, the finalizer, annotations, the name in the status; last by the nodes."""
    kind = reader.value(TYPE)
    certain = (
        reader.balancer_class(*CLASSES)
        or reader.finalizer(*FINALIZERS)
        or ("" if reader.service.balancer_class else reader.annotation(TARGETS, TYPE))
        or reader.hostname("elb.amazonaws.com", "amazonaws.com")
    )
    likely = reader.nodes_of("aws")
    if not certain and not (likely and not reader.service.balancer_class):
        return None
    group = _group(reader)
    by_controller = group is not None or kind in {"external", "nlb-ip"} or bool(
        reader.balancer_class(*CLASSES) or reader.finalizer(*FINALIZERS)
    )  # fmt: skip
    if by_controller:
        return _network(reader, certain, group)
    return _older(reader, certain, likely, network=kind == "nlb")


def _group(reader: Reader) -> TargetGroup | None:
    """The controller's own object, which names the kind of targets."""
    found = reader.cluster.target_groups
    if isinstance(found, Absent):
        return None
    own = (reader.service.namespace, reader.service.name)
    return next((each for each in found if (each.namespace, each.service) == own), None)


def _network(reader: Reader, certain: str, group: TargetGroup | None) -> Balancer:
    provider = "AWS Network Load Balancer"
    reader.says("provider", provider, certain or f"TargetGroupBinding {group.name if group else ''}")
    pods = _targets(reader, group)
    _client(reader, pods=pods)
    if pods:
        text = "TCP" if not reader.value(CHECK_PROTOCOL) else reader.value(CHECK_PROTOCOL).upper()
        port = reader.value(CHECK_PORT) or "the port that traffic goes to"
        reader.assumes(
            "health",
            f"asks each pod itself: {text} at {port}; externalTrafficPolicy has no part in it",
            DOCUMENTED,
        )
        return reader.balancer(provider, Arrival.POD)
    _check(reader)
    _hairpin(reader)
    return reader.balancer(provider, Arrival.NODE_PORT)


def _targets(reader: Reader, group: TargetGroup | None) -> bool:
    """Whether the targets are pods."""
    if group is not None:
        pods, by = (
            group.target_type == "ip",
            f"TargetGroupBinding {group.name}: targetType {group.target_type}",
        )
    elif reader.value(TYPE) == "nlb-ip":
        pods, by = True, reader.annotation(TYPE)
    elif reader.value(TARGETS):
        pods, by = reader.value(TARGETS) == "ip", reader.annotation(TARGETS)
    else:
        reader.assumes(
            "arrival",
            "at the nodes' own addresses and node ports (targets: instance, the default)",
            DOCUMENTED,
        )
        return False
    text = "straight at the pods (targets: ip), past every proxy of the nodes"
    reader.says(
        "arrival", text if pods else "at the nodes' own addresses and node ports (targets: instance)", by
    )
    return pods


def _attributes(reader: Reader) -> dict[str, str]:
    pairs = (each.partition("=") for each in reader.value(ATTRIBUTES).split(","))
    return {name.strip(): value.strip().lower() for name, equal, value in pairs if equal}


def _client(reader: Reader, *, pods: bool) -> None:
    """Whose address the packets carry, and whether a PROXY header tells it."""
    given = _attributes(reader)
    kept = given.get("preserve_client_ip.enabled")
    if kept is not None:
        reader.says(
            "client", _kept(kept == "true"), f"annotation {ATTRIBUTES}: preserve_client_ip.enabled={kept}"
        )
    elif pods:
        reader.assumes("client", f"{_kept(False)}, the default for ip targets over TCP", DOCUMENTED)
    else:
        reader.assumes("client", f"{_kept(True)}, the default for instance targets", DOCUMENTED)
    if reader.value(PROXY) == "*":
        reader.says(
            "proxy_protocol",
            "PROXY protocol version 2: the backend has to expect it",
            reader.annotation(PROXY),
        )
    elif given.get("proxy_protocol_v2.enabled") == "true":
        by = f"annotation {ATTRIBUTES}: proxy_protocol_v2.enabled=true"
        reader.says("proxy_protocol", "PROXY protocol version 2: the backend has to expect it", by)


def _kept(kept: bool) -> str:
    return "its address is kept" if kept else "its address is replaced by the balancer's"


def _check(reader: Reader) -> None:
    """Which nodes get traffic."""
    own = [each for each in (CHECK_PROTOCOL, CHECK_PORT, CHECK_PATH) if reader.value(each)]
    if own:
        told = ", ".join(f"{each.removeprefix(BASE)}: {reader.value(each)}" for each in own)
        reader.says("health", f"asks each node, with {told}", ", ".join(f"annotation {each}" for each in own))
    elif reader.is_local and reader.service.health_check_port:
        reader.assumes(
            "health", f"asks {reader.local_check}: nodes without endpoints get no traffic", DOCUMENTED
        )
    else:
        reader.assumes("health", "asks each node by a TCP connection to the node port", DOCUMENTED)


def _hairpin(reader: Reader) -> None:
    reader.assumes(
        "inside",
        "a client on a node that is chosen as the target of its own connection gets no answer while client "
        "addresses are kept",
        OF_AWS,
    )


def _older(reader: Reader, certain: str, likely: str, *, network: bool) -> Balancer:
    """That of the cloud provider: it always sends to the nodes."""
    kind = "AWS Network Load Balancer" if network else "AWS Classic Load Balancer"
    provider = f"{kind}, by the AWS cloud provider"
    reader.knows(bool(certain) and network, "provider", provider, certain or likely)
    of_provider = "the AWS cloud provider's documentation"
    reader.assumes("arrival", "at the nodes' own addresses and node ports", of_provider)
    reader.assumes("client", _kept(network), of_provider)
    if reader.value(PROXY) == "*" and not network:
        reader.says(
            "proxy_protocol",
            "PROXY protocol version 1: the backend has to expect it",
            reader.annotation(PROXY),
        )
    _check(reader)
    return reader.balancer(provider, Arrival.NODE_PORT)
