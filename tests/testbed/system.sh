#!/bin/sh
# Installs the Debian or Ubuntu packages that the test bed needs. Needs root; adds packages, changes no settings.
set -eu
here=$(dirname "$0")
lists=$here/packages.txt
[ "$(uname -m)" != x86_64 ] || lists="$lists $here/vm/packages.txt"
# shellcheck disable=SC2086
packages=$(awk '!/^#/ && NF == 2 {print $2}' $lists | sort -u)
if ! command -v apt-get >/dev/null; then
	echo "No apt-get here: install what these Debian packages bring:" $packages >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "Needs root: sudo apt-get install" $packages python3-venv >&2
	exit 1
fi
apt-get update -q
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages python3-venv
