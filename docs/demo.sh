#!/bin/sh
# What the tool says about a namespace, about its healthy Service and a broken one, from a recording of a real cluster.
cd "$(dirname "$0")/.." || exit 1
program=.venv/bin/kubectl-packetpath
show() {
	printf '\n$ kubectl packetpath %s\n' "$*"
	$program "$@" --bundle docs/demo.packetpath
	code=$?
	printf '(exit code %s)\n' "$code"
	[ "$code" -le 1 ]
}
show svc -n demo && show svc/web -n demo --from pod/client && show svc/broken -n demo --from pod/client
