#!/bin/sh
# Gets this machine ready for all tests that it can run, and says what it cannot. Never fails the run itself:
# the tests that miss something are skipped loudly, or fail where PACKETPATH_REQUIRE demands them.
cd "$(dirname "$0")/.." || exit 1
if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
	echo "tests/prepare: kernel and cluster tests need root on Linux; the others run" >&2
	exit 0
fi
lists=tests/testbed/packages.txt
[ "$(uname -m)" != x86_64 ] || lists="$lists tests/testbed/vm/packages.txt"
missing=$(awk '!/^#/ && NF == 2 {print $1}' $lists | while read -r what; do
	case "$what" in
	/*) [ -e "$what" ] || echo "$what" ;;
	*) command -v "$what" >/dev/null 2>&1 || echo "$what" ;;
	esac
done)
if [ -n "$missing" ] && command -v apt-get >/dev/null; then
	echo "tests/prepare: installing system packages for:" $missing >&2
	sh tests/testbed/system.sh >/tmp/packetpath-packages.log 2>&1 || {
		echo "tests/prepare: that failed, see /tmp/packetpath-packages.log" >&2
	}
fi
if command -v go >/dev/null; then
	PYTHONPATH=tests .venv/bin/python -m testbed build >&2 || echo "tests/prepare: the test bed did not build" >&2
else
	echo "tests/prepare: no Go here: cluster tests are skipped (https://go.dev/dl)" >&2
fi
exit 0
