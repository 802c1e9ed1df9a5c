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
# The way to what runs outside, for clusters alone: all that comes from them goes by the one device.
if modprobe virtio_net; then
	ip addr add 10.0.2.15/24 dev eth0
	ip link set eth0 up
	sysctl -qw net.ipv4.ip_forward=1
	nft add table ip hosted
	nft add chain ip hosted out '{ type nat hook postrouting priority srcnat; }'
	nft add rule ip hosted out oifname eth0 masquerade
fi
for module in br_netfilter ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh; do
	modprobe "$module" || echo "guest: no module $module" >&2
done
echo "guest: $(uname -r), $(cut -d' ' -f1 /proc/uptime) s after power on"
sh "$results/command"
end $?
