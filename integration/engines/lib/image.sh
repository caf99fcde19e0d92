# What runs in the containers: a root file system with busybox, and nothing from any registry.
# shellcheck shell=bash

# Makes the root file system in directory $1.
make_rootfs() {
    local root=$1 applet
    mkdir -p "$root"/{bin,dev,etc,home/worker,mnt,proc,root,run,sys,tmp,usr/bin,var/tmp}
    chmod 1777 "$root/tmp" "$root/var/tmp"
    cp /bin/busybox "$root/bin/busybox"
    for applet in $(/bin/busybox --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'worker:x:1000:1000:worker:/home/worker:/bin/sh' \
        >"$root/etc/passwd"
    printf '%s\n' 'root:x:0:' 'worker:x:1000:' 'helpers:x:2000:worker' >"$root/etc/group"
    chown 1000:1000 "$root/home/worker"
    echo 'not a program' >"$root/bin/not-a-program"
    chmod 755 "$root/bin/not-a-program"
    echo 'echo never' >"$root/bin/not-executable"
    cp "$root/bin/busybox" "$root/bin/setuid-id"
    chmod 4755 "$root/bin/setuid-id"
}
