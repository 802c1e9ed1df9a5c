#!/bin/sh
# With Docker: a kind cluster, the agent's image, demo Services, and the path of one. usage: run.sh [iptables|nftables]
set -eu
cd "$(dirname "$0")/../.."
mode=${1:-iptables}
for tool in docker kind kubectl; do
	command -v "$tool" >/dev/null || { echo "make kind needs $tool; without Docker use 'make cluster'" >&2; exit 2; }
done
image=localhost/packetpath-agent:dev
sed "s/kubeProxyMode: .*/kubeProxyMode: $mode/" kind-config.yaml >/tmp/packetpath-kind.yaml
kind get clusters | grep -qx packetpath || kind create cluster --config /tmp/packetpath-kind.yaml --wait 180s
docker build -t "$image" -f agent/Dockerfile .
kind load docker-image --name packetpath "$image"
kubectl --context kind-packetpath apply -f tests/kind/demo.yaml
kubectl --context kind-packetpath -n demo rollout status deployment/web --timeout 180s
.venv/bin/kubectl-packetpath agent install --context kind-packetpath --image "$image" --yes
.venv/bin/kubectl-packetpath svc/web -n demo --context kind-packetpath
code=0
.venv/bin/kubectl-packetpath svc/broken -n demo --context kind-packetpath || code=$?
[ "$code" = 1 ] || { echo "the broken Service must end with exit code 1, not $code" >&2; exit 1; }
