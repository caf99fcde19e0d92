# Who and where the process is: user, groups, user namespace, directory, names, environment.
# shellcheck shell=bash

check_user_by_name_and_by_number() {
    podman run --rm --user worker "$IMAGE" id
    gives 0
    prints 'uid=1000(worker) gid=1000(worker) groups=1000(worker),2000(helpers)'
    podman run --rm --user 1234:2345 "$IMAGE" id
    prints_like 'uid=1234.* gid=2345'
    podman run --rm --user worker --group-add 3456 "$IMAGE" id -G
    prints 3456
    podman run --rm --user nobody-there "$IMAGE" id
    gives 126
}

check_user_namespace_by_ranges() {
    podman run --rm --uidmap 0:200000:1000 --gidmap 0:300000:1000 "$IMAGE" \
        sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u; cat /proc/self/setgroups'
    gives 0
    prints_like '0 +200000 +1000.* 0 +300000 +1000'
}

check_user_namespace_with_volumes_and_limits() {
    mkdir -p "$place/volume"
    chown 200000:200000 "$place/volume"
    podman run --rm --uidmap 0:200000:1000 --memory 64m --read-only --volume "$place/volume:/data" "$IMAGE" \
        sh -c 'touch /data/made && stat -c %u /data/made'
    chown 0:0 "$place/volume"
    gives 0
    prints_only 0
    rm "$place/volume/made"
}

check_working_directory() {
    podman run --rm --workdir /usr/bin "$IMAGE" pwd
    gives 0
    prints_only /usr/bin
}

check_working_directory_that_is_missing() {
    podman run --rm --workdir /nowhere "$IMAGE" pwd
    gives 126
    complains 'workdir'
}

check_hostname() {
    podman run --rm --hostname somewhere "$IMAGE" hostname
    gives 0
    prints_only somewhere
    podman run --rm --uts host "$IMAGE" hostname
    prints_only "$(hostname)"
}

check_environment() {
    podman run --rm --env COLOUR=green --env 'TEXT=two words' "$IMAGE" sh -c 'echo "$COLOUR $TEXT $container"'
    gives 0
    prints_only 'green two words podman'
}

check_init_reaps_and_forwards() {
    podman run --rm --init "$IMAGE" sh -c 'cat /proc/1/comm; exit 5'
    gives 5
    prints_only podman-init
}

check_pid_namespaces() {
    podman run --rm "$IMAGE" sh -c 'echo $$'
    prints_only 1
    podman run --rm --pid host "$IMAGE" sh -c 'ls /proc/1/ns >/dev/null; cat /proc/1/comm'
    gives 0
    prints_only bash
    podman run --detach --name one "$IMAGE" sleep 1002
    podman run --rm --pid container:one "$IMAGE" cat /proc/1/cmdline
    gives 0
    prints 1002
}

check_ipc_namespaces() {
    podman run --detach --ipc shareable --name one "$IMAGE" sh -c 'echo shared >/dev/shm/file; sleep 1000'
    until_true command podman exec one test -s /dev/shm/file
    podman run --rm --ipc container:one "$IMAGE" cat /dev/shm/file
    gives 0
    prints_only shared
    podman run --rm --ipc host "$IMAGE" true
    gives 0
}

check_network_none_and_host() {
    podman run --rm --network none "$IMAGE" ip -o link
    gives 0
    prints lo
    [ "$(wc -l <<<"$out")" = 1 ] || no 'more than one interface'
    podman run --rm --network host "$IMAGE" readlink /proc/self/ns/net
    gives 0
    prints_only "$(readlink /proc/self/ns/net)"
}

check_network_of_another_container() {
    podman run --detach --network none --name one "$IMAGE" sleep 1000
    podman run --rm --network container:one "$IMAGE" readlink /proc/self/ns/net
    gives 0
    podman inspect --format '{{.State.Pid}}' one
    gives 0
}

check_time_zone_and_hosts_file() {
    podman run --rm --network none --add-host elsewhere:10.1.2.3 "$IMAGE" cat /etc/hosts
    gives 0
    prints_like '10.1.2.3.elsewhere'
}

check_umask() {
    podman run --rm --umask 0077 "$IMAGE" sh -c umask
    gives 0
    prints_only 0077
}

check_annotations_and_labels() {
    podman run --rm --annotation org.example.note=kept --label note=kept "$IMAGE" true
    gives 0
}

check_personality() {
    podman run --rm --personality LINUX32 "$IMAGE" cat /proc/self/personality
    gives 0
    prints_only 00000008
}

check_systemd_mode_prepares_the_machine_for_it() {
    podman run --rm --systemd always "$IMAGE" sh -c 'stat -f -c %T /run /run/lock /tmp; echo "$container"'
    gives 0
    prints tmpfs
    prints podman
}

check_a_timeout_ends_it() {
    podman run --rm --timeout 1 "$IMAGE" sleep 1000
    gives 255
}
