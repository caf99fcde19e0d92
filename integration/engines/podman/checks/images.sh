# What makes and changes images, and looks into containers: build, commit, cp, diff, healthcheck.
# shellcheck shell=bash

check_build_with_run() {
    mkdir -p "$place/context"
    cat >"$place/context/Containerfile" <<END
FROM $IMAGE
RUN id -u >/made && mkdir /kept
RUN --mount=type=tmpfs,target=/mnt touch /mnt/file
USER worker
RUN id -u >/tmp/made-by-worker
CMD ["cat", "/made", "/tmp/made-by-worker"]
END
    podman build --isolation oci --network none --tag built "$place/context"
    gives 0
    podman run --rm built
    gives 0
    prints_only $'0\n1000'
    podman rmi --force built
}

check_build_fails_where_run_fails() {
    mkdir -p "$place/context"
    printf 'FROM %s\nRUN exit 9\n' "$IMAGE" >"$place/context/Containerfile"
    podman build --isolation oci --network none "$place/context"
    gives 9
}

check_commit_keeps_what_was_written() {
    podman run --name one "$IMAGE" sh -c 'echo written >/file'
    podman commit one changed
    gives 0
    podman run --rm changed cat /file
    prints_only written
    podman rmi --force changed
}

check_cp_in_and_out() {
    podman run --detach --name one "$IMAGE" sleep 1000
    echo copied >"$place/copied"
    podman cp "$place/copied" one:/tmp/copied
    gives 0
    podman exec one cat /tmp/copied
    prints_only copied
    podman cp one:/etc/passwd "$place/passwd"
    gives 0
    grep -q worker "$place/passwd" || no 'something else arrived'
}

check_diff_and_export() {
    podman run --name one "$IMAGE" touch /made
    podman diff one
    prints 'A /made'
    podman export --output "$place/exported.tar" one
    gives 0
    tar -tf "$place/exported.tar" made || no 'the export lacks the file'
}

check_healthcheck() {
    podman run --detach --name one --health-cmd 'test -e /tmp/healthy' --health-interval disable "$IMAGE" sleep 1000
    gives 0
    podman healthcheck run one
    gives 1
    podman exec one touch /tmp/healthy
    podman healthcheck run one
    gives 0
    podman inspect --format '{{.State.Health.Status}}' one
    prints_only healthy
}

check_mounts_from_outside() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman mount one
    gives 0
    [ -e "$out/bin/busybox" ] || no 'nothing there'
    podman unmount one
}

check_events_tell_what_happened() {
    podman run --rm --name one "$IMAGE" true
    podman events --stream=false --since 10m --filter container=one --format '{{.Status}}'
    gives 0
    prints start
    prints died
}

check_ps_sees_the_namespaces() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman ps --namespace --format '{{.Names}} {{.PIDNS}}'
    gives 0
    prints_like '^one [0-9]+'
}
