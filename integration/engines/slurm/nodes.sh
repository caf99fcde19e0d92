# Starts the daemons of these nodes in mount and cgroup namespaces of their own, in which the cgroup that this
# process is in is the top of every hierarchy.
# shellcheck shell=bash
set -euo pipefail
hierarchies=$(findmnt -rno TARGET,FSTYPE,FS-OPTIONS -t cgroup,cgroup2)
mount --make-rprivate /
umount --lazy --recursive /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
while read -r directory type options; do
    mkdir -p "$directory"
    mount -t "$type" -o "$options" "$type" "$directory"
done <<<"$hierarchies"
# What else each node has of its own.
for node; do
    unshare --mount sh -euc 'mount -t tmpfs -o mode=755 tmpfs "$1"
        mkdir -p /run/shifter
        mount -t tmpfs -o mode=700 tmpfs /run/shifter
        exec slurmd -N "$2"' sh "$home/udi" "$node"
done
