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
    # Shared, as systemd makes a machine's mounts.
    unshare --mount sh -euc 'mount --make-rshared /
        mount -t tmpfs -o mode=755 tmpfs "$1/udi"
        mkdir -p /run/shifter
        mount -t tmpfs -o mode=700 tmpfs /run/shifter
        mount -t tmpfs -o mode=755 tmpfs "$1/site/shared/below"
        echo there >"$1/site/shared/below/file"
        exec slurmd -N "$2"' sh "$home" "$node"
done
