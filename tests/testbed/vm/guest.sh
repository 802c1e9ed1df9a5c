#!/bin/sh
# Makes the virtual machine an ordinary one, runs the script RESULTS/command, writes down how it ended, and powers off.
results=$1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PACKETPATH_GUEST=1
# Emulation is slow: longer deadlines, and less work for Go's garbage collector, as memory is not what is short.
export PACKETPATH_PATIENCE=6 GOGC=400
end() {
	echo "$1" >"$results/code"
	sync
	trap '' EXIT
	echo o >/proc/sysrq-trigger
	while :; do :; done
}
trap 'end 125' EXIT
hostname guest
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=755 run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /lib/modules
mount --bind "$modules" /lib/modules
ip link set lo up
sysctl -qw fs.inotify.max_user_instances=1024
for module in br_netfilter ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh; do
	modprobe "$module" || echo "guest: no module $module" >&2
done
echo "guest: $(uname -r), $(cut -d' ' -f1 /proc/uptime) s after power on"
sh "$results/command"
end $?
