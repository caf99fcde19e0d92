# Whose ids, files and networks a rootless container has, and what it can't be limited in.
# shellcheck shell=bash

check_root_inside_is_the_user_outside() {
    podman run --rm "$IMAGE" cat /proc/self/uid_map
    gives 0
    prints_like "^ +0 +$USER_ID +1"
    prints_like " +1 +$FIRST_SUBID +65536"
}

check_another_user_inside_is_one_of_the_range_outside() {
    mkdir "$place/shared"
    chmod 777 "$place/shared"
    podman run --rm --user 1000 --volume "$place/shared:/mnt" "$IMAGE" touch /mnt/file
    gives 0
    out=$(stat -c %u "$place/shared/file") last="stat the file"
    rm -r "$place/shared"
    prints_only $((FIRST_SUBID + 999))
}

check_keep_id() {
    podman run --rm --userns keep-id "$IMAGE" id -u
    gives 0
    prints_only "$USER_ID"
}

check_keep_id_can_write_the_users_own_files() {
    as_user mkdir "$home/own"
    podman run --rm --userns keep-id --volume "$home/own:/mnt" "$IMAGE" touch /mnt/file
    gives 0
    out=$(stat -c %u "$home/own/file") last="stat the file"
    rm -r "$home/own"
    prints_only "$USER_ID"
}

check_a_read_only_volume_cant_be_written() {
    as_user mkdir "$home/own"
    podman run --rm --volume "$home/own:/mnt:ro" "$IMAGE" touch /mnt/file
    rm -r "$home/own"
    gives 1
    complains "Read-only file system"
}

check_a_temporary_file_system_and_a_read_only_root() {
    podman run --rm --read-only --tmpfs /mnt "$IMAGE" sh -c 'touch /mnt/file && ! touch /file'
    gives 0
}

check_a_working_directory_below_a_volume_is_made() {
    podman run --rm --volume work:/mnt --workdir /mnt/a/b "$IMAGE" pwd
    gives 0
    prints_only /mnt/a/b
}

check_network_none_has_a_loopback_only() {
    podman run --rm --network none "$IMAGE" sh -c 'ip -o link | grep -c "LOOPBACK,UP"; ls /sys/class/net'
    gives 0
    prints_only $'1\nlo'
}

check_network_host_is_the_callers() {
    podman run --rm --network host "$IMAGE" readlink /proc/self/ns/net
    gives 0
    prints_only "$(readlink /proc/self/ns/net)"
}

check_capabilities_and_filter() {
    podman run --rm --cap-drop all --security-opt no-new-privileges "$IMAGE" \
        grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status
    gives 0
    prints_like $'CapEff:\t0+\n'
    prints_like $'NoNewPrivs:\t1'
    prints_like $'Seccomp:\t2'
}

check_build_with_run() {
    as_user mkdir "$home/context"
    printf 'FROM %s\nRUN id -u >/made\nUSER worker\nRUN id -u >/tmp/by-worker\nCMD ["cat", "/made", "/tmp/by-worker"]\n' \
        "$IMAGE" >"$home/context/Containerfile"
    podman build --isolation oci --network none --tag built "$home/context"
    gives 0
    podman run --rm built
    rm -r "$home/context"
    gives 0
    prints_only $'0\n1000'
    podman rmi --force built
}

check_healthcheck() {
    sleeper --health-cmd 'test -e /healthy' --health-interval disable --health-retries 1
    podman healthcheck run one
    gives 1
    podman exec one touch /healthy
    podman healthcheck run one
    gives 0
}

check_pause_and_unpause() {
    sleeper
    podman pause one
    gives 0
    podman inspect --format '{{.State.Status}}' one
    prints_only paused
    podman unpause one
    gives 0
}

# No cgroup is delegated: either podman says that it ignores the limit, or the runtime that nobody would hold it.
check_a_limit_without_delegation_is_told() {
    podman run --rm --memory 64m "$IMAGE" true
    [[ $err == *[Ll]imit* || $err == *memory* || $err == *cgroup* ]] || no "it is passed over in silence"
}
