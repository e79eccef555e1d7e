#!/bin/sh
# Process 1 of a lab node: gives the node its own files and name, then reaps orphans for ever.
# Without the reaping every QEMU that ends stays a zombie and libvirt waits 40 s for it at the end of each move.
# Usage: node_init.sh FILES HOSTNAME PATH...   (FILES/PATH is mounted over each PATH)
set -eu
files=$1
hostname=$2
shift 2
read -r outer_pid _ </proc/self/stat # /proc is still the outer one here: the number by which others know this process
mount --make-rprivate /
for path in "$@"; do
    mount --bind "$files$path" "$path"
done
mount -t proc proc /proc
mount -t sysfs sysfs /sys # libvirt reads the bridges of this network namespace there
hostname "$hostname"
ip link set lo up
cd /
echo "$outer_pid" >"$files.pid.new"
mv "$files.pid.new" "$files.pid"
trap '' HUP INT
while :; do
    sleep 86400 &
    wait
done
