#!/bin/sh
# The first process of a node: node-init.sh FOLDER NAME LEAF PROGRAM
# It starts in network, mount, pid, uts, ipc and cgroup namespaces of the node's own, makes the file system look like a
# machine of its own, and becomes PROGRAM, which waits for ever. What must not be shared with the host is mounted over.
set -eu
folder=$1 name=$2 leaf=$3 program=$4

mount --make-rprivate /
hostname "$name"
mount -t proc proc /proc

# /sys anew, so that /sys/class/net is this node's; the control groups as this node's cgroup namespace sees them.
umount -l /sys
mount -t sysfs sysfs /sys
if grep -q '^[1-9]' /proc/self/cgroup; then
	mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
	while IFS=: read -r number hierarchy _; do
		target=/sys/fs/cgroup/${hierarchy#name=}
		case $number:$hierarchy in
		0:*) target=/sys/fs/cgroup/unified && mkdir "$target" && mount -t cgroup2 cgroup2 "$target" ;;
		*:name=*) mkdir "$target" && mount -t cgroup -o "none,$hierarchy" cgroup "$target" ;;
		*) mkdir "$target" && mount -t cgroup -o "$hierarchy" cgroup "$target" ;;
		esac
	done </proc/self/cgroup
	unified=/sys/fs/cgroup/unified
else
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	unified=/sys/fs/cgroup
fi
mkdir -p "$unified/$leaf"
echo 1 >"$unified/$leaf/cgroup.procs"

# The kubelet would set these for the whole machine. It finds them set already, in files that only the node has.
set_already() {
	file=$folder/sysctl/$(echo "$1" | tr / .)
	mkdir -p "$folder/sysctl"
	echo "$2" >"$file"
	[ ! -e "/proc/sys/$1" ] || mount --bind "$file" "/proc/sys/$1"
}
set_already vm/overcommit_memory 1
set_already vm/panic_on_oom 0
set_already kernel/panic 10
set_already kernel/panic_on_oops 1
set_already kernel/keys/root_maxkeys 1000000
set_already kernel/keys/root_maxbytes 25000000

# Folders of the node's own where programs write; /etc and /opt are the host's with the node's changes laid over them.
mount --make-rshared /
for place in var/lib var/log; do
	mkdir -p "$folder/$place"
	mount --bind "$folder/$place" "/$place"
	mount --make-rshared "/$place"
done
for place in etc opt; do
	mkdir -p "$folder/$place" "$folder/$place-work"
	mount -t overlay -o "lowerdir=/$place,upperdir=$folder/$place,workdir=$folder/$place-work" "$place" "/$place"
done
mount -t tmpfs -o mode=755 run /run
mount --make-rshared /run
mkdir -p /run/netns /run/containerd /run/lock

exec "$program"
