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
for node; do
    slurmd -N "$node"
done
