#!/bin/sh
# Starts a program in the background and in control groups: launch.sh LOG CGROUP... -- COMMAND...
# It belongs to those groups from its first instruction, so none of its children can be missed later.
log=$1
shift
while [ "$1" != -- ]; do
	echo $$ >"$1/cgroup.procs" || exit 1
	shift
done
shift
exec setsid --fork "$@" </dev/null >>"$log" 2>&1
