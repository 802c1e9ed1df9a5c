"""A pod's resolver is not configured as its pod object asks for.

A kubelet writes the pod's /etc/resolv.conf once, from dnsPolicy, dnsConfig and its own flags. Afterwards an entrypoint, a VPN
client or a mounted file may have changed it, or the kubelet was given other servers or another domain: names are then
asked for elsewhere, more often, or not at all, while the pod object looks right. What can come of a kubelet's flags is a
suspicion, the rest a problem.

Kubernetes: pkg/kubelet/network/dns/dns.go, https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.findings.sight import api
from kubectl_packetpath.trace import Fact

PROBLEM = Problem(
    code="PP701",
    id="resolver-differs",
    title="A pod's resolver is not configured as its pod object asks for.",
)
MOST_TEXT = 1000


def look_at_all(answer: Answer) -> Iterator[Finding]:
    """The pod's own file, beside what its dnsPolicy, its dnsConfig and the Service of the cluster's DNS promise."""
    found = answer.resolver
    if found is None or not found.differences:
        return
    namespace, _, name = found.pod.partition("/")
    pod = answer.cluster.pod(namespace, name)
    policy = f"dnsPolicy {pod.dns_policy}" if pod is not None else ""
    policy += ", with a dnsConfig" if pod is not None and pod.dns_config is not None else ""
    certain = any(each.certain for each in found.differences)
    yield PROBLEM.found(
        found.pod,
        f"/etc/resolv.conf of pod {found.pod}: {'; '.join(each.text for each in found.differences)}",
        severity=Severity.PROBLEM if certain else Severity.SUSPICION,
        node=found.node,
        namespace=found.pod,
        evidence=(
            Fact(section="file", key=f"{found.pod} /etc/resolv.conf", text=found.text[:MOST_TEXT]),
            api(f"Pod {found.pod}", policy),
        ),
        remedy=(
            f"kubectl -n {namespace} exec {name} -- cat /etc/resolv.conf",
            f"kubectl -n {namespace} get pod {name} -o jsonpath='{{.spec.dnsPolicy}} {{.spec.dnsConfig}}'",
            f"kubectl get --raw /api/v1/nodes/{found.node}/proxy/configz",
        ),
    )


CHECK = PROBLEM.check(look_at_all=look_at_all)
